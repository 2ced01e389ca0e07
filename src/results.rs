//! Results as commands read them: straight from ledger and objects, whether a control plane runs or not.

use std::sync::Arc;

use followlytics_core::{
    account::{AccountRef, Platform},
    scan::summary::ResultRecord,
};
use followlytics_store::{
    ledger::{Account, Ledger},
    objects::Objects,
};

use crate::{
    args::Global,
    connect,
    data::DataDir,
    edge,
    exit::{Exit, Failure},
};

/// The results of one account.
pub(crate) struct Results {
    pub(crate) objects: Objects,
    pub(crate) platform: Platform,
    named: String,
    records: Vec<ResultRecord>,
}

impl Results {
    /// Those of the account, or of the scan, that is named.
    pub(crate) async fn open(global: &Global, named: &str) -> Result<Self, Failure> {
        if global.server.is_some() || global.kubeconfig.is_some() {
            return Err(Failure::usage(
                "failed to read results: they lie in ledger and objects, which a server does not hand out; run this where \
                 they are, with --data, --database and --objects",
            ));
        }
        let data = DataDir::open(global.data.as_deref())?;
        let storage = connect::storage(global, &data).await?;
        let ledger = Ledger::new(
            storage.open_database().await?,
            edge::clock(),
            Arc::new(|| edge::new_id().to_string()),
        );
        let account = account(&ledger, &global.namespace, named).await?;
        let Account { platform, id } = account;
        let records = ledger.list_results(&global.namespace, platform, &id).await?;
        Ok(Self {
            objects: storage.open_objects()?,
            platform,
            named: named.to_owned(),
            records,
        })
    }

    /// This version, or the newest.
    pub(crate) fn version(&self, version: Option<i64>) -> Result<&ResultRecord, Failure> {
        let newest = self.records.last();
        let found = match version {
            Some(wanted) => self.records.iter().find(|record| record.version == wanted),
            None => newest,
        };
        found.ok_or_else(|| {
            let newest = newest.map_or(0, |record| record.version);
            let wanted = version.unwrap_or(1);
            Failure::new(
                Exit::Failed,
                format!(
                    "failed to find version {wanted} of {}: the newest is {newest}",
                    self.named
                ),
            )
        })
    }
}

async fn account(ledger: &Ledger, namespace: &str, named: &str) -> Result<Account, Failure> {
    let found = if named.contains(':') {
        let account: AccountRef = named
            .parse()
            .map_err(|error: followlytics_core::account::AccountError| Failure::usage(error.to_string()))?;
        ledger.find_account(namespace, &account).await?
    } else {
        ledger.find_account_of_scan(namespace, named).await?
    };
    found.ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            format!(
                "failed to find a result of {named} in namespace {namespace}: name an account (x:@nasa) or a scan that has \
                 ended; `followlytics get scans` lists scans"
            ),
        )
    })
}
