//! `delete`: objects go, with what they own. What is gone already is no failure: the wish came true.

use std::time::Duration;

use clap::Args;
use kube::{
    Api,
    api::{DeleteParams, DynamicObject},
};

use crate::{
    args::Global,
    connect::Session,
    exit::{Exit, Failure},
    kinds::{self, Target},
    output,
    plane::Options,
};

/// How often it is looked whether an object is gone.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// scans, sandboxes, credentials or namespaces, and names after it; or KIND/NAME
    #[arg(required = true, value_name = "KIND")]
    words: Vec<String>,
    /// Wait until they are gone, which is the default
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Return at once, without waiting until they are gone
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
    /// Seconds to wait at most
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

pub(super) async fn run(global: &Global, args: DeleteArgs) -> Result<Exit, Failure> {
    let targets = kinds::targets(&args.words)?;
    if let Some(target) = targets.iter().find(|target| target.names.is_empty()) {
        return Err(Failure::usage(format!(
            "failed to delete: name the objects, as `followlytics get {}` shows them",
            target.kind.resource.plural
        )));
    }
    // Without a running control plane one of no runners clears away what the objects own.
    let options = Options {
        work: true,
        max_runners: 0,
        ..Options::objects_only()
    };
    let session = Session::open(global, options).await?;
    let deleted = delete_all(global, &args, &targets, &session).await;
    session.close().await;
    deleted.map(|()| Exit::Ok)
}

async fn delete_all(
    global: &Global,
    args: &DeleteArgs,
    targets: &[Target],
    session: &Session,
) -> Result<(), Failure> {
    for target in targets {
        let api = target.kind.api(&session.client, &global.namespace);
        for name in &target.names {
            let shown = target.kind.name_of(name);
            let Some(uid) = mark(&api, name).await? else {
                output::print(&format!("{shown} is not there\n"))?;
                continue;
            };
            if !args.no_wait {
                let gone = tokio::time::timeout(Duration::from_secs(args.timeout), gone(&api, name, &uid));
                gone.await.map_err(|_| {
                    Failure::new(
                        Exit::Failed,
                        format!(
                            "failed to see {shown} go within {} s: it is still being cleared away; wait longer with \
                             --timeout, or look again with `get`",
                            args.timeout
                        ),
                    )
                })??;
            }
            output::print(&format!("{shown} deleted\n"))?;
        }
    }
    Ok(())
}

/// Asks for the deletion; the uid of what goes, `None` if it is gone already.
async fn mark(api: &Api<DynamicObject>, name: &str) -> Result<Option<String>, Failure> {
    let Some(found) = api.get_metadata_opt(name).await? else {
        return Ok(None);
    };
    match api.delete(name, &DeleteParams::default()).await {
        // Somebody else was faster.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        outcome => outcome.map(|_| found.metadata.uid).map_err(Failure::from),
    }
}

/// Waits until it is gone. One of the same name that came since is another object.
async fn gone(api: &Api<DynamicObject>, name: &str, uid: &str) -> Result<(), Failure> {
    while api
        .get_metadata_opt(name)
        .await?
        .is_some_and(|found| found.metadata.uid.as_deref() == Some(uid))
    {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
