//! etcd, kube-apiserver and the two controllers without which it deletes nothing: garbage collector and namespaces.
//!
//! Durable: nothing. Everything lies in one temporary directory that goes with the test process.

mod certificates;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{keeper::Keeper, port, tools};

/// How long a part may take to come up on a machine that is busy compiling.
const PATIENCE: Duration = Duration::from_mins(2);

/// Who the tests are: everything is allowed to them.
const USER: &str = "tests";

/// A real Kubernetes API server, empty but for what it creates itself.
#[derive(Debug)]
pub struct KubeApiServer {
    // The order of fields is the order they end in: clients before servers.
    _controllers: Keeper,
    _apiserver: Keeper,
    _etcd: Keeper,
    url: String,
    ca: String,
    token: String,
    kubeconfig: PathBuf,
}

impl KubeApiServer {
    /// The server of this test binary, started by whoever asks first.
    pub fn shared() -> Result<&'static Self> {
        static SERVER: OnceLock<Result<KubeApiServer, String>> = OnceLock::new();
        SERVER
            .get_or_init(|| Self::start().map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Starts etcd, kube-apiserver and the controllers; returns when requests are answered.
    pub fn start() -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("followlytics-kube-")
            .tempdir()
            .context("failed to create a directory for the API server")?
            .keep();
        let token = certificates::write_all(&directory)?;
        let etcd_port = port::free()?;
        let etcd = etcd(&directory, etcd_port)?;
        let port = port::free()?;
        let url = format!("https://127.0.0.1:{port}");
        let kubeconfig = directory.join("kubeconfig");
        write(&kubeconfig, &kubeconfig_of(&directory, &url, &token))?;
        let apiserver = apiserver(&directory, port, etcd_port)?;
        wait_until_ready(&apiserver, &kubeconfig)?;
        let controllers = controllers(&directory, &kubeconfig)?;
        let ca = read(&directory.join("ca.crt"))?;
        Ok(Self {
            _controllers: controllers,
            _apiserver: apiserver,
            _etcd: etcd,
            url,
            ca,
            token,
            kubeconfig,
        })
    }

    /// `https://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate its certificate is signed by, in PEM.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// The bearer token of a user who may do everything.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A kubeconfig file for it.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The pinned kubectl, pointed at this server.
    pub fn kubectl(&self) -> Result<Command> {
        kubectl(&self.kubeconfig)
    }
}

/// The pinned kubectl with a kubeconfig and no other settings of the user.
pub fn kubectl(kubeconfig: &Path) -> Result<Command> {
    let mut command = Command::new(tools::program("kubectl")?);
    command.env("KUBECONFIG", kubeconfig);
    // Discovery is cached by host and port, and ports come back: each server has its own cache.
    if let Some(directory) = kubeconfig.parent() {
        command.env("KUBECACHEDIR", directory.join("kubectl-cache"));
    }
    Ok(command)
}

fn etcd(directory: &Path, port: u16) -> Result<Keeper> {
    let data = directory.join("etcd");
    let client = format!("http://127.0.0.1:{port}");
    // Nobody else joins, yet etcd wants an address for it.
    let peer = format!("http://127.0.0.1:{}", port::free()?);
    let arguments = [
        format!("--data-dir={}", data.display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // The data is gone with the test: waiting for a disk proves nothing here.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    let log = directory.join("etcd.log");
    Keeper::start(&tools::program("etcd")?, arguments, &log, Some(directory))
}

fn apiserver(directory: &Path, port: u16, etcd_port: u16) -> Result<Keeper> {
    let file = |name: &str| directory.join(name).display().to_string();
    let arguments = [
        format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", file("server.crt")),
        format!("--tls-private-key-file={}", file("server.key")),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--anonymous-auth=false".to_owned(),
        "--authorization-mode=AlwaysAllow".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("accounts.pub")),
        format!("--service-account-signing-key-file={}", file("accounts.key")),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // Nothing runs here: no account of a pod, no endpoint of the server's own, no lease that is renewed.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        "--feature-gates=APIServerIdentity=false".to_owned(),
        "--profiling=false".to_owned(),
    ];
    let log = directory.join("kube-apiserver.log");
    Keeper::start(&tools::program("kube-apiserver")?, arguments, &log, None)
}

fn controllers(directory: &Path, kubeconfig: &Path) -> Result<Keeper> {
    let arguments = [
        format!("--kubeconfig={}", kubeconfig.display()),
        "--controllers=garbage-collector-controller,namespace-controller".to_owned(),
        "--leader-elect=false".to_owned(),
        // No port of its own.
        "--secure-port=0".to_owned(),
        "--kube-api-qps=500".to_owned(),
        "--kube-api-burst=1000".to_owned(),
    ];
    let log = directory.join("kube-controller-manager.log");
    Keeper::start(&tools::program("kube-controller-manager")?, arguments, &log, None)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a real program comes up in real time; nothing replays it"
)]
fn wait_until_ready(apiserver: &Keeper, kubeconfig: &Path) -> Result<()> {
    let start = Instant::now();
    loop {
        let answer = kubectl(kubeconfig)?
            .args(["get", "--raw", "/readyz"])
            .output()
            .context("failed to run kubectl")?;
        if answer.status.success() {
            return Ok(());
        }
        if !apiserver.is_running() || start.elapsed() > PATIENCE {
            bail!(
                "failed to start kube-apiserver within {PATIENCE:?}; it said last:\n{}",
                apiserver.last_words()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn kubeconfig_of(directory: &Path, url: &str, token: &str) -> String {
    let ca = directory.join("ca.crt");
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {USER}\n\
         clusters:\n- name: {USER}\n  cluster: {{server: \"{url}\", certificate-authority: \"{}\"}}\n\
         users:\n- name: {USER}\n  user: {{token: \"{token}\"}}\n\
         contexts:\n- name: {USER}\n  context: {{cluster: {USER}, user: {USER}}}\n",
        ca.display()
    )
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("failed to write {}", file.display()))
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_created_and_goes_with_what_is_in_it() {
        let server = KubeApiServer::shared().unwrap();
        let run = |arguments: &[&str]| {
            let output = server.kubectl().unwrap().args(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        assert!(run(&["version"]).contains("Server Version: v1.34.4"));
        run(&["create", "namespace", "a"]);
        run(&["-n", "a", "create", "configmap", "b"]);
        run(&["delete", "namespace", "a", "--wait", "--timeout=60s"]);
        assert!(!run(&["get", "namespaces", "-o", "name"]).contains("namespace/a\n"));
    }
}
