//! `export`: a result as one file, or on standard output.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use followlytics_worker::{
    export::{Format, export},
    read,
};

use crate::{
    args::Global,
    exit::{Exit, Failure},
    figures::grouped,
    output,
    results::Results,
};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Whose: an account such as x:@nasa, or the name of a scan
    #[arg(value_name = "ACCOUNT|SCAN")]
    named: String,
    /// Which result [default: the newest]
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(1..))]
    version: Option<i64>,
    /// parquet, csv or ndjson [default: by the file's name, else csv]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: ExportArgs) -> Result<Exit, Failure> {
    let format = format(args.format, args.out.as_deref())?;
    let results = Results::open(global, &args.named).await?;
    let record = results.version(args.version)?;
    let mut rows = read::rows(&results.objects, record).await?;
    let Some(path) = &args.out else {
        let out = io::stdout();
        if format == Format::Parquet && out.is_terminal() {
            return Err(Failure::usage(
                "failed to export: Parquet is nothing for a terminal; name a file with --out FILE",
            ));
        }
        export(&mut rows, format, BufWriter::new(out)).await?;
        return Ok(Exit::Ok);
    };
    let written = write_whole(path, async |file| Ok(export(&mut rows, format, file).await?)).await?;
    if !global.quiet {
        let version = record.version;
        output::print(&format!(
            "{}: {} followers, version {version}\n",
            path.display(),
            grouped(i64::try_from(written).unwrap_or(i64::MAX))
        ))?;
    }
    Ok(Exit::Ok)
}

/// The format that was named, or that the file's name ends with.
pub(super) fn format(named: Option<Format>, path: Option<&Path>) -> Result<Format, Failure> {
    let ending = path.and_then(Path::extension).and_then(|ending| ending.to_str());
    match (named, path, ending.map(str::parse)) {
        (Some(format), ..) | (None, _, Some(Ok(format))) => Ok(format),
        (None, None, _) => Ok(Format::Csv),
        (None, Some(path), _) => Err(Failure::usage(format!(
            "failed to choose a format for {}: end its name with .parquet, .csv or .ndjson, or name one with --format",
            path.display()
        ))),
    }
}

/// Writes a file beside its place and moves it there once it is whole: nobody ever finds half of it.
pub(super) async fn write_whole<T>(
    path: &Path,
    write: impl AsyncFnOnce(&mut BufWriter<File>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let refused = |source: io::Error| {
        Failure::storage(format!(
            "failed to write {}: {source}; free some space or name another file with --out",
            path.display()
        ))
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let mut file = BufWriter::new(File::create(&part).map_err(refused)?);
    let written = write(&mut file).await;
    let whole = match &written {
        Ok(_) => file.flush().and_then(|()| file.get_ref().sync_all()),
        Err(_) => Ok(()),
    };
    if written.is_err() || whole.is_err() {
        // What is left of it is of no use to anybody.
        let _ = std::fs::remove_file(&part);
    }
    whole.map_err(refused)?;
    let written = written?;
    std::fs::rename(&part, path).map_err(refused)?;
    Ok(written)
}
