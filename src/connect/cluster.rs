//! A control plane behind https: what a kubeconfig says of its address, its authority and the token.

use std::{path::Path, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use crate::{args::Global, data::DataDir, exit::Failure};

/// How long a server may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(10);

/// The kubeconfig that was named; as a plugin of kubectl, the one that kubectl itself would read.
pub(crate) fn kubeconfig(global: &Global) -> Result<Option<Kubeconfig>, Failure> {
    match (&global.kubeconfig, global.is_plugin && global.server.is_none()) {
        (Some(path), _) => read(path).map(Some),
        (None, true) => Kubeconfig::read().map(Some).map_err(|error| {
            Failure::usage(format!(
                "failed to read the kubeconfig: {}; name one with --kubeconfig FILE, such as the one that `followlytics \
                 up` writes",
                what(error)
            ))
        }),
        (None, false) => Ok(None),
    }
}

fn read(path: &Path) -> Result<Kubeconfig, Failure> {
    Kubeconfig::read_from(path).map_err(|error| {
        Failure::usage(format!(
            "failed to read the kubeconfig: {}; `followlytics up` writes one into its data directory",
            what(error)
        ))
    })
}

/// What is wrong with a kubeconfig. The parser's own words could quote the token.
fn what(error: KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(source, path) => format!("{}: {source}", path.display()),
        _ => "it is no kubeconfig".to_owned(),
    }
}

/// The namespace of the kubeconfig's context.
pub(crate) fn namespace(kubeconfig: &Kubeconfig, context: Option<&str>) -> Option<String> {
    let name = context.or(kubeconfig.current_context.as_deref())?;
    let named = kubeconfig.contexts.iter().find(|named| named.name == name)?;
    named.context.as_ref()?.namespace.clone()
}

/// The data directory's own kubeconfig, for the server that it names.
pub(super) fn own(data: &DataDir, server: &str) -> Result<Kubeconfig, Failure> {
    let path = data.kubeconfig();
    let found = Kubeconfig::read_from(&path).ok().filter(|kubeconfig| {
        let servers = kubeconfig
            .clusters
            .iter()
            .filter_map(|named| named.cluster.as_ref());
        let mut servers = servers.filter_map(|cluster| cluster.server.as_deref());
        servers.any(|known| known == server.trim_end_matches('/'))
    });
    found.ok_or_else(|| {
        Failure::usage(format!(
            "failed to reach {server}: its authority and a token are needed, and {} does not name this server; give \
             its kubeconfig with --kubeconfig FILE",
            path.display()
        ))
    })
}

/// A client of the server that the kubeconfig names, or of `server` with its authority and token.
pub(super) async fn client(
    kubeconfig: Kubeconfig,
    server: Option<&str>,
    global: &Global,
) -> Result<(Client, String), Failure> {
    // One provider is compiled in; whoever installs it first, it is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let refused = |error: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "failed to use the kubeconfig: {error}; check its context, cluster and user"
        ))
    };
    let options = KubeConfigOptions {
        context: global.context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| refused(&error))?;
    if let Some(server) = server {
        config.cluster_url = server.parse().map_err(|error| refused(&error))?;
    }
    config.default_namespace.clone_from(&global.namespace);
    config.connect_timeout = Some(ANSWER);
    let shown = config.cluster_url.to_string();
    let shown = shown.trim_end_matches('/').to_owned();
    let client = Client::try_from(config).map_err(|error| refused(&error))?;
    match tokio::time::timeout(ANSWER, client.apiserver_version()).await {
        Ok(Ok(_)) => Ok((client, shown)),
        Ok(Err(kube::Error::Api(status))) if status.code == 401 => Err(Failure::usage(format!(
            "{shown} refuses the token of the kubeconfig: take the kubeconfig that `followlytics up` wrote at its last \
             start"
        ))),
        Ok(Err(error)) => Err(Failure::usage(format!(
            "failed to reach the control plane at {shown}: start it with `followlytics up`, or take the kubeconfig \
             that it wrote at its last start"
        ))
        .because(error)),
        Err(_) => Err(Failure::usage(format!(
            "failed to reach the control plane at {shown}: no answer within {} s; check that it runs",
            ANSWER.as_secs()
        ))),
    }
}
