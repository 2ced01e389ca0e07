//! `doctor`: looks at what a user needs, one line each, with the remedy where something is wrong.
//!
//! Every line is a check that was made now. It changes nothing: what it writes to see whether writing works, it
//! removes.

mod machine;
mod storage;

use std::path::PathBuf;

use clap::Args;
use followlytics_crds::{Credential, Scan};
use kube::{Api, ResourceExt as _, api::ListParams};
use serde::Serialize;

use crate::{
    args::{Global, Output},
    connect::Session,
    credentials,
    data::DataDir,
    exit::{Exit, Failure},
    output,
    plane::Options,
};

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Standing {
    /// As it should be.
    Good,
    /// Worth knowing; nothing is wrong.
    Note,
    /// Something does not work until the remedy is applied.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    what: &'static str,
    standing: Standing,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(skip)]
    exit: Exit,
}

impl Check {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            standing: Standing::Good,
            found: found.into(),
            remedy: None,
            exit: Exit::Ok,
        }
    }

    fn note(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            standing: Standing::Note,
            ..Self::good(what, found)
        }
    }

    fn bad(what: &'static str, exit: Exit, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            standing: Standing::Bad,
            remedy: Some(remedy.into()),
            exit,
            ..Self::good(what, found)
        }
    }

    /// A sentence with its remedy behind the last colon, as commands end with.
    fn failed(what: &'static str, failure: &Failure) -> Self {
        let (found, remedy) = failure
            .message
            .rsplit_once([':', ';'])
            .unwrap_or((&failure.message, "run it again with -v"));
        Self::bad(what, failure.exit, found, remedy.trim())
    }
}

pub(super) async fn run(global: &Global, _: DoctorArgs) -> Result<Exit, Failure> {
    let mut checks = Vec::new();
    match DataDir::open(global.data.as_deref()) {
        Ok(data) => {
            checks.extend(storage::checks(&data));
            let (found, objects) = control_plane(global).await;
            checks.extend(found);
            checks.extend(storage::durability(global, &data).await);
            checks.push(storage::objects(global, &data, objects).await);
        }
        Err(failure) => checks.push(Check::failed("data directory", &failure)),
    }
    checks.extend(machine::checks().await);
    if matches!(global.output, Output::Json | Output::Yaml) {
        output::print_value(global.output, &checks)?;
    } else {
        output::print(&table(&checks))?;
    }
    let worst = checks.iter().find(|check| check.standing == Standing::Bad);
    Ok(worst.map_or(Exit::Ok, |check| check.exit))
}

fn table(checks: &[Check]) -> String {
    let rows = checks.iter().map(|check| {
        let word = match check.standing {
            Standing::Good => "ok",
            Standing::Note => "note",
            Standing::Bad => "bad",
        };
        let remedy = check.remedy.as_ref().map(|remedy| format!(" – {remedy}"));
        vec![
            word.to_owned(),
            check.what.to_owned(),
            format!("{}{}", check.found, remedy.unwrap_or_default()),
        ]
    });
    output::columns(&rows.collect::<Vec<_>>())
}

/// The control plane, the database behind it, and the credentials in it; and where its objects lie.
async fn control_plane(global: &Global) -> (Vec<Check>, Option<PathBuf>) {
    let session = match Session::open(global, Options::objects_only()).await {
        Ok(session) => session,
        Err(failure) => return (vec![Check::failed("database", &failure)], None),
    };
    let mut checks = vec![match (&session.plane, &session.named) {
        (Some(_), _) => Check::note(
            "control plane",
            "none runs on the data directory; `followlytics up` starts one",
        ),
        (None, Some(named)) => Check::good("control plane", format!("answers at {named}")),
        (None, None) => Check::good("control plane", "runs on the data directory"),
    }];
    let scans: Api<Scan> = Api::all(session.client.clone());
    match scans.list_metadata(&ListParams::default()).await {
        Ok(found) => checks.push(Check::good(
            "database",
            format!("answers; {} scans in it", found.items.len()),
        )),
        Err(error) => checks.push(Check::failed("database", &Failure::from(error))),
    }
    checks.extend(tokens(&session).await);
    checks.extend(if session.plane.is_some() {
        storage::database_clock(global, &session.data).await
    } else {
        // It knows its database; arguments and environment of this command may name another one, or none.
        let said = session.health().await.and_then(|health| health.clock_skew());
        said.map(|said| Check::note(storage::DATABASE_CLOCK, said))
    });
    let objects = session.objects_root();
    session.close().await;
    (checks, objects)
}

/// A Credential whose token is not stored here can authorise nothing.
async fn tokens(session: &Session) -> Option<Check> {
    const WHAT: &str = "credentials";
    let api: Api<Credential> = Api::all(session.client.clone());
    let found = api.list(&ListParams::default()).await.ok()?.items;
    let Ok(secrets) = credentials::secrets(session) else {
        return Some(Check::note(
            WHAT,
            "their tokens lie on the control plane's machine",
        ));
    };
    let missing = |credential: &&Credential| {
        let namespace = credential.namespace().unwrap_or_default();
        let key = credentials::secret_name(&namespace, &credential.name_any());
        !matches!(
            followlytics_api::credentials::SecretStore::get(&secrets, &key),
            Ok(Some(_))
        )
    };
    let missing: Vec<String> = found
        .iter()
        .filter(missing)
        .map(kube::ResourceExt::name_any)
        .collect();
    Some(match missing.first() {
        None => Check::good(WHAT, format!("{} stored, each with its token", found.len())),
        Some(first) => Check::bad(
            WHAT,
            Exit::Credential,
            format!("no token is stored for {}", missing.join(", ")),
            format!("`followlytics credential add {first}`"),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_of_a_failure_is_taken_apart_at_its_remedy() {
        let failure = Failure::storage("failed to open /x: permission denied; name another with --data DIR");
        let check = Check::failed("data directory", &failure);
        assert_eq!(check.found, "failed to open /x: permission denied");
        assert_eq!(check.remedy.as_deref(), Some("name another with --data DIR"));
        let table = table(&[Check::good("clock", "2026"), check]);
        assert_eq!(
            table,
            "ok   clock           2026\nbad  data directory  failed to open /x: permission denied – name another with --data DIR\n"
        );
    }
}
