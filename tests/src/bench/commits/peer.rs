//! pgbench.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use followlytics_testbed::postgres::Postgres;

use super::{LASTS, SENDERS, script::Script, sender};

/// What pgbench says of itself.
pub(super) struct Run {
    pub(super) transactions: u32,
    pub(super) a_second: f64,
}

/// Gives the open permits names that a client's number leads to.
pub(super) fn prepare(server: &Postgres, url: &str) -> Result<()> {
    let (_, database) = url.rsplit_once('/').unwrap_or_default();
    let rename = format!(
        "UPDATE permits SET id = CAST({} + CAST(scan AS BIGINT) - {} AS TEXT) WHERE state = 'Open'",
        sender::PERMIT,
        sender::SCAN
    );
    server.run_sql(database, &rename)?;
    Ok(())
}

pub(super) fn run(server: &Postgres, url: &str, script: &Script) -> Result<Run> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("commit.sql");
    fs::write(&file, &script.text)?;
    let mut command = Command::new(server.program("pgbench"));
    command.args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2"]);
    command.args([
        "--client",
        &SENDERS.to_string(),
        "--time",
        &LASTS.as_secs().to_string(),
    ]);
    for (name, value) in &script.variables {
        command.arg("--define").arg(format!("{name}={value}"));
    }
    let output = command
        .arg("--file")
        .arg(&file)
        .arg(url)
        .output()
        .context("failed to run pgbench: it comes with Debian's package `postgresql`")?;
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(output.status.success(), "pgbench failed: {errors}");
    ensure!(
        said.contains("number of failed transactions: 0 "),
        "pgbench's transactions failed: {said}{errors}"
    );
    Ok(Run {
        transactions: after(&said, "number of transactions actually processed: ")?.parse()?,
        a_second: after(&said, "tps = ")?.parse()?,
    })
}

/// The word that follows.
fn after<'a>(said: &'a str, words: &str) -> Result<&'a str> {
    let (_, rest) = said
        .split_once(words)
        .with_context(|| format!("pgbench did not say \"{words}\": {said}"))?;
    rest.split_whitespace().next().context("pgbench named no number")
}
