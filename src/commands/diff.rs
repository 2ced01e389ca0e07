//! `diff`: who came, who left and who was renamed between two results of an account.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
};

use clap::Args;
use followlytics_worker::{
    WorkerError,
    diff::{Change, Counts, Kind, diff},
};
use serde_json::json;

use super::export::write_whole;
use crate::{
    args::{Global, Output},
    exit::{Exit, Failure},
    figures::grouped,
    output,
    results::Results,
};

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Whose: an account such as x:@nasa, or the name of a scan
    #[arg(value_name = "ACCOUNT|SCAN")]
    named: String,
    /// The earlier result [default: the one before the later]
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(1..))]
    since: Option<i64>,
    /// The later result [default: the newest]
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(1..))]
    to: Option<i64>,
    /// Changes shown, from the least id on
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Write all changes to this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: DiffArgs) -> Result<Exit, Failure> {
    let results = Results::open(global, &args.named).await?;
    let later = results.version(args.to)?;
    let since = args.since.unwrap_or(later.version - 1);
    if since == 0 {
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "failed to compare: {} has one result only; scan it again first",
                args.named
            ),
        ));
    }
    let earlier = results.version(Some(since))?;
    let ids = results.platform.facts().ids;
    let mut shown = Vec::new();
    let mut show = |change: &Change| {
        if shown.len() < args.limit {
            shown.push(change.clone());
        }
    };
    let pair = (earlier, later);
    let counts = match &args.out {
        None => {
            diff(&results.objects, ids, pair, |change| {
                show(&change);
                Ok::<_, WorkerError>(())
            })
            .await?
        }
        Some(path) => {
            write_whole(path, async |file| {
                diff(&results.objects, ids, pair, |change| {
                    show(&change);
                    line(file, &change)
                })
                .await
            })
            .await?
        }
    };
    match global.output {
        Output::Json | Output::Yaml => {
            output::print_value(global.output, &json!({"counts": counts, "changes": shown}))?;
        }
        Output::Table | Output::Wide | Output::Name => output::print(&table(&counts, &shown))?,
    }
    Ok(Exit::Ok)
}

fn line(file: &mut BufWriter<File>, change: &Change) -> Result<(), Failure> {
    let written = serde_json::to_vec(change)
        .map_err(std::io::Error::from)
        .and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)
        });
    written.map_err(|source| {
        Failure::storage(format!(
            "failed to write the changes: {source}; free some space and try again"
        ))
    })
}

fn table(counts: &Counts, shown: &[Change]) -> String {
    let known = |count: Option<i64>| count.map_or_else(|| "not known".to_owned(), grouped);
    // Writing to a String cannot fail.
    let mut text = format!(
        "version {} to {}: {} gained, {} lost, {} renamed
",
        counts.from,
        counts.to,
        known(counts.gained),
        known(counts.lost),
        grouped(counts.renamed)
    );
    if counts.gained.is_none() || counts.lost.is_none() {
        let _ = writeln!(
            text,
            "observed: {} first seen in the later result, {} not seen in it",
            grouped(counts.first_seen),
            grouped(counts.not_seen)
        );
    }
    if let Some(why) = &counts.gained_unknown {
        let _ = writeln!(text, "who is new is not known: {why}");
    }
    if let Some(why) = &counts.lost_unknown {
        let _ = writeln!(text, "who left is not known: {why}");
    }
    for change in shown {
        let line = match change.change {
            Kind::Gained => format!(
                "+ {} {}
",
                change.id, change.handle
            ),
            Kind::Lost => format!(
                "- {} {}
",
                change.id, change.handle
            ),
            Kind::FirstSeen => format!(
                "? {} {} (first seen)
",
                change.id, change.handle
            ),
            Kind::NotSeen => format!(
                "? {} {} (not seen)
",
                change.id, change.handle
            ),
            Kind::Renamed => {
                let earlier = change.earlier_handle.as_deref().unwrap_or_default();
                format!("~ {} {earlier} -> {}\n", change.id, change.handle)
            }
        };
        text.push_str(&line);
    }
    let all = counts.first_seen + counts.renamed + counts.not_seen;
    let more = all - i64::try_from(shown.len()).unwrap_or(0);
    if more > 0 {
        let _ = writeln!(
            text,
            "… and {} more: --out FILE writes all of them",
            grouped(more)
        );
    }
    text
}
