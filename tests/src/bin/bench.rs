//! `bench`: runs the benches, prints what they found, and writes it into the page of figures.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use followlytics_tests::bench::{
    browser, commits, demo, density, fairness, listing,
    machine::Machine,
    memory, merge, pages,
    report::{Section, update},
    requests, runners, windows, wire,
};

/// Measures what the bars promise
#[derive(Parser)]
struct Arguments {
    /// Which benches; all of them if none is named
    names: Vec<Name>,
    /// The page the figures go to; what is outside of the benches' marks stays
    #[arg(long, default_value = "docs/benchmarks.md")]
    page: PathBuf,
    /// Print only
    #[arg(long)]
    dry_run: bool,
    /// Only merge what the bench of this name has prepared in this directory, and say what it took
    #[arg(long, hide = true)]
    merge_child: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Requests ÷ necessary, without faults and with kills
    Requests,
    /// Scan time ÷ rate-limit bound
    Windows,
    /// A hundred mixed scans on one credential
    Fairness,
    /// Four runners ÷ one, and a slow one, in virtual time
    Runners,
    /// Four runners on lists of uneven density, in virtual time
    Density,
    /// `runners` over real sockets and files
    Wire,
    /// An X list beside tweepy
    Listing,
    /// What a million followers hold in memory, and ten
    Memory,
    /// A real Chromium on the simulated X
    Browser,
    /// Pages a second through the broker
    Pages,
    /// Page commits on PostgreSQL beside pgbench
    Commits,
    /// The merge beside `DuckDB`
    Merge,
    /// The demo, from its start to its table
    Demo,
}

impl Name {
    fn run(self) -> Result<Section> {
        match self {
            Self::Requests => requests::section(),
            Self::Windows => windows::section(),
            Self::Fairness => fairness::section(),
            Self::Runners => runners::section(),
            Self::Density => density::section(),
            Self::Wire => wire::section(),
            Self::Listing => listing::section(),
            Self::Memory => memory::section(),
            Self::Browser => browser::section(),
            Self::Pages => pages::section(),
            Self::Commits => commits::section(),
            Self::Merge => merge::section(),
            Self::Demo => demo::section(),
        }
    }
}

const HEAD: &str = "# Benchmarks\n\nThe measured numbers, each with the command that measured it. `cargo xtask bench` runs all \
benches, `cargo xtask bench requests` one of them; each writes its own part of this page.\n";

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(folder) = &arguments.merge_child {
        return merge::child(folder);
    }
    let names = if arguments.names.is_empty() {
        Name::value_variants()
    } else {
        &arguments.names
    };
    let machine = Machine::here();
    let mut sections = Vec::new();
    for name in names {
        let section = name.run()?;
        println!("## {}\n\n{}\n", section.title, section.markdown(&machine));
        sections.push(section);
    }
    let missed = sections.iter().filter(|section| !section.is_met()).count();
    println!("{} benches, {missed} with a bar that is missed", sections.len());
    if arguments.dry_run {
        return Ok(());
    }
    let page = std::fs::read_to_string(&arguments.page).unwrap_or_else(|_| HEAD.to_owned());
    let page = update(&page, &sections, &machine)?;
    std::fs::write(&arguments.page, page)
        .with_context(|| format!("failed to write {}", arguments.page.display()))
}
