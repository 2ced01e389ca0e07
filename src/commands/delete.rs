//! `delete`: objects go, with what they own.

use std::time::Duration;

use clap::Args;
use kube::api::DeleteParams;

use crate::{
    args::Global,
    connect::Session,
    exit::{Exit, Failure},
    kinds::Kind,
    output,
    plane::Options,
};

const LOOK: Duration = Duration::from_millis(100);
const LOOKS: u32 = 300;

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// scans, sandboxes, credentials or namespaces
    kind: String,
    /// Names of the objects
    #[arg(required = true)]
    names: Vec<String>,
    /// Return at once, without waiting until they are gone
    #[arg(long)]
    no_wait: bool,
}

pub(super) async fn run(global: &Global, args: DeleteArgs) -> Result<Exit, Failure> {
    let kind = Kind::find(&args.kind)?;
    // Without a running control plane one of no runners clears away what the objects own.
    let options = Options {
        work: true,
        max_runners: 0,
        ..Options::objects_only()
    };
    let session = Session::open(global, options).await?;
    let deleted = delete(global, &args, &kind, &session).await;
    session.close().await;
    deleted
}

async fn delete(global: &Global, args: &DeleteArgs, kind: &Kind, session: &Session) -> Result<Exit, Failure> {
    let api = kind.api(&session.client, &global.namespace);
    for name in &args.names {
        let uid = api.get(name).await?.metadata.uid;
        api.delete(name, &DeleteParams::default()).await?;
        let mut gone = args.no_wait;
        for _ in 0..LOOKS {
            if gone {
                break;
            }
            // One of the same name that came since is another object.
            gone = api
                .get_metadata_opt(name)
                .await?
                .is_none_or(|found| found.metadata.uid != uid);
            if !gone {
                tokio::time::sleep(LOOK).await;
            }
        }
        if !gone {
            return Err(Failure::new(
                Exit::Failed,
                format!(
                    "failed to see {} go: it is still being cleared away; look again with `get`",
                    kind.name_of(name)
                ),
            ));
        }
        output::print(&format!("{} deleted\n", kind.name_of(name)))?;
    }
    Ok(Exit::Ok)
}
