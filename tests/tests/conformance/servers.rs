//! Both servers with the same kinds: the shipped definitions as generated, and two of this test's own.

use std::{
    io::Write as _,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, Result, bail};
use followlytics_apiserver::{ApiServer, Ids, Registry};
use followlytics_store::{db::Db, resources};
use followlytics_testbed::kube::KubeApiServer;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use uuid::Uuid;

use crate::{script, side::Side};

/// Starts both and registers the kinds with both.
pub(crate) async fn start() -> Result<(Side, Side)> {
    // Another test of this binary may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let definitions = definitions()?;
    let real = tokio::task::spawn_blocking(KubeApiServer::shared)
        .await
        .context("failed to start the real server")??;
    for file in &definitions {
        let file = file.display().to_string();
        kubectl(real, &["apply", "--server-side", "-f", &file])?;
    }
    kubectl(
        real,
        &[
            "wait",
            "--for=condition=Established",
            "crd",
            "--all",
            "--timeout=60s",
        ],
    )?;
    let embedded = embedded(&definitions).await?;
    Ok((
        Side::new("kube-apiserver", real.url().to_owned(), client_of(real)?),
        Side::new(
            "the embedded server",
            embedded,
            reqwest::Client::builder().build()?,
        ),
    ))
}

fn client_of(real: &KubeApiServer) -> Result<reqwest::Client> {
    let authority = reqwest::Certificate::from_pem(real.ca().as_bytes()).context("failed to read its CA")?;
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", real.token()).parse()?);
    reqwest::Client::builder()
        .tls_certs_only([authority])
        .default_headers(headers)
        .build()
        .context("failed to make a client")
}

/// Files of every definition.
fn definitions() -> Result<Vec<PathBuf>> {
    let here = script::directory();
    let mut files = Vec::new();
    for directory in [here.join("../../../crds/generated"), here.join("crds")] {
        let entries = std::fs::read_dir(&directory)
            .with_context(|| format!("failed to read {}", directory.display()))?;
        for entry in entries {
            files.push(entry?.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The embedded server on a loopback socket; it ends with the test's runtime.
async fn embedded(definitions: &[PathBuf]) -> Result<String> {
    let definitions: Vec<CustomResourceDefinition> = definitions
        .iter()
        .map(|file| script::read(file))
        .collect::<Result<_>>()?;
    let db = Db::memory()?;
    let server = ApiServer::new(
        db.clone(),
        Registry::from_crds(definitions)?,
        Arc::new(Timestamp::now),
        ids(),
    );
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .context("failed to listen")?;
    let address = listener.local_addr().context("failed to listen")?;
    let router = server.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let base = format!("http://{address}");
    have_a_past(&base, &db).await?;
    Ok(base)
}

/// One id after the other: they have to differ, not to surprise.
fn ids() -> Ids {
    const FIRST: u128 = 0x1000_0000_0000_4000_8000_0000_0000_0000;
    let given = AtomicU64::new(0);
    Arc::new(move || Uuid::from_u128(FIRST + u128::from(given.fetch_add(1, Ordering::Relaxed))))
}

/// A real server is never asked for its first changes, because it has forgotten them. Here too: a Scan comes and
/// goes, and the log of both is dropped, so that a watch can be told that it is too old.
async fn have_a_past(base: &str, db: &Db) -> Result<()> {
    let scans = format!("{base}/apis/followlytics.io/v1alpha1/namespaces/default/scans");
    let client = reqwest::Client::builder().build()?;
    let scan = serde_json::json!({
        "apiVersion": "followlytics.io/v1alpha1", "kind": "Scan", "metadata": {"name": "past"},
        "spec": {"account": {"platform": "x", "handle": "past"}},
    });
    let create = client
        .post(&scans)
        .header("content-type", "application/json")
        .body(scan.to_string());
    create.send().await?.error_for_status()?;
    client
        .delete(format!("{scans}/past"))
        .send()
        .await?
        .error_for_status()?;
    let mut tx = db.begin().await?;
    resources::trim_events(&mut tx, i64::MAX).await?;
    tx.commit().await?;
    Ok(())
}

fn kubectl(server: &KubeApiServer, arguments: &[&str]) -> Result<()> {
    let output = server
        .kubectl()?
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("failed to run kubectl")?;
    if !output.status.success() {
        let _ = std::io::stderr().write_all(&output.stderr);
        bail!("kubectl {} failed ({})", arguments.join(" "), output.status);
    }
    Ok(())
}
