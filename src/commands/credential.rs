//! `credential`: stores, shows and removes tokens. A token comes from standard input or a file, never from the
//! command line, where every process of the machine could read it.

use std::{
    io::{self, IsTerminal as _, Read as _},
    path::PathBuf,
};

use clap::{Args, Subcommand, ValueEnum};
use followlytics_api::credentials::Secret;
use followlytics_browser::WebSession;
use followlytics_core::{account::Platform, money::Usd, scan::decide::limits};
use followlytics_crds::{Credential, CredentialType, RateLimit};
use kube::{Api, api::DeleteParams};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use secrecy::ExposeSecret as _;

use super::get;
use crate::{
    args::{Global, Output},
    connect::Session,
    credentials::{self, NewCredential},
    exit::{Exit, Failure},
    output,
    plane::Options,
    platform_env,
};

#[derive(Debug, Args)]
pub(crate) struct CredentialArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Store a token, read from standard input or a file; the same name again replaces it
    Add(AddArgs),
    /// Show credentials, never their tokens
    List,
    /// Remove a credential and its token
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
struct AddArgs {
    /// A name for it
    name: String,
    /// x, bluesky, gitea, github or mastodon [default: as stored under this name]
    #[arg(long)]
    platform: Option<String>,
    /// What kind of token it is [default: as stored under this name]
    #[arg(long = "type", value_enum)]
    kind: Option<TokenKind>,
    /// Read the token from this file instead of standard input; a JSON object may bring a refresh token too:
    /// {"accessToken": …, "refreshToken": …, "clientId": …}
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Base URL, where it is not the platform's public one
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// A limit of your contract: FAMILY=REQUESTS/SECONDS, such as followers=300/900; again for more
    #[arg(long, value_name = "LIMIT")]
    rate_limit: Vec<String>,
    /// The most it may spend in a month, in dollars
    #[arg(long, value_name = "USD")]
    monthly_budget: Option<Usd>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TokenKind {
    /// A token of the application
    AppBearer,
    /// A user's token
    UserToken,
    /// A signed-in web session, for a browser: {"authToken": …, "ct0": …}, two cookies of the platform's site
    WebSession,
}

pub(super) async fn run(global: &Global, args: CredentialArgs) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Add(args) => add(global, args).await,
        Verb::List => get::run(global, get::GetArgs::all("credentials")).await,
        Verb::Remove { name } => remove(global, &name).await,
    }
}

/// What is stored under a name whose token is replaced, where the arguments do not say all of it.
async fn find_stored(global: &Global, args: &AddArgs) -> Result<Option<Credential>, Failure> {
    if args.platform.is_some() && args.kind.is_some() {
        return Ok(None);
    }
    let session = Session::open(global, Options::objects_only()).await?;
    let api: Api<Credential> = Api::namespaced(session.client.clone(), &global.namespace);
    let found = api.get_opt(&args.name).await;
    session.close().await;
    match found? {
        Some(found) => Ok(Some(found)),
        None => Err(Failure::usage(format!(
            "failed to add credential {}: it is new; say what it is with --platform PLATFORM --type \
             app-bearer|user-token|web-session",
            args.name
        ))),
    }
}

async fn add(global: &Global, args: AddArgs) -> Result<Exit, Failure> {
    let stored = find_stored(global, &args).await?.map(|stored| stored.spec);
    let platform = match (&args.platform, &stored) {
        (None, Some(stored)) => stored.platform.clone(),
        (named, _) => named.clone().unwrap_or_default(),
    };
    let platform = platform.parse::<Platform>().map_err(|_| {
        Failure::usage(format!(
            "failed to read --platform: {platform:?} is not known; known are {}",
            Platform::known()
        ))
    })?;
    let kind = match (args.kind, &stored) {
        (Some(TokenKind::UserToken), _) => CredentialType::UserToken,
        (Some(TokenKind::WebSession), _) => CredentialType::WebSession,
        (None, Some(stored)) => stored.type_,
        (Some(TokenKind::AppBearer) | None, _) => CredentialType::AppBearer,
    };
    let base_url = args
        .base_url
        .map(|url| platform_env::base_url(&url, "--base-url"))
        .transpose()?
        .or_else(|| stored.and_then(|stored| stored.base_url));
    let rate_limits = args
        .rate_limit
        .iter()
        .map(String::as_str)
        .map(rate_limit)
        .collect::<Result<Vec<_>, _>>()?;
    limits::stated(platform, &rate_limits)
        .map_err(|error| Failure::usage(format!("failed to read --rate-limit: {error}")))?;
    let mut secret = match kind {
        CredentialType::WebSession => read_session(platform, args.token_file)?,
        CredentialType::AppBearer | CredentialType::UserToken => read_secret(args.token_file)?,
    };
    // A refresh token is good at the server that gave it, and nowhere else.
    secret.base_url = secret.base_url.or_else(|| base_url.clone());
    let new = NewCredential {
        name: args.name,
        platform,
        kind,
        secret,
        base_url,
        rate_limits,
        monthly_budget: args.monthly_budget.map(|usd| usd.to_string()),
    };
    let session = Session::open(global, Options::objects_only()).await?;
    let stored = credentials::store(&session, global, new).await;
    session.close().await;
    let stored = stored?;
    if matches!(global.output, Output::Json | Output::Yaml) {
        output::print_value(global.output, &stored)?;
    } else {
        let name = stored.metadata.name.unwrap_or_default();
        output::print(&format!("credential.followlytics.io/{name} stored\n"))?;
    }
    Ok(Exit::Ok)
}

async fn remove(global: &Global, name: &str) -> Result<Exit, Failure> {
    let session = Session::open(global, Options::objects_only()).await?;
    let removed = remove_from(global, &session, name).await;
    session.close().await;
    removed?;
    output::print(&format!("credential.followlytics.io/{name} removed\n"))?;
    Ok(Exit::Ok)
}

async fn remove_from(global: &Global, session: &Session, name: &str) -> Result<(), Failure> {
    let api: Api<Credential> = Api::namespaced(session.client.clone(), &global.namespace);
    api.delete(name, &DeleteParams::default()).await?;
    credentials::forget(session, global, name)
}

/// A web session, checked before it is stored: what is wrong with it is said without repeating any of it.
fn read_session(platform: Platform, file: Option<PathBuf>) -> Result<Secret, Failure> {
    if platform.web().is_none() {
        return Err(Failure::usage(format!(
            "failed to store a web session: no browser lists followers on {platform}; use another --type"
        )));
    }
    let (from, text) = read_text(file)?;
    let text = text.trim();
    WebSession::parse(text).map_err(|error| Failure::usage(format!("{error} ({from})")))?;
    Ok(Secret {
        access_token: text.to_owned(),
        ..Secret::default()
    })
}

/// What was given, and where it came from.
fn read_text(file: Option<PathBuf>) -> Result<(String, String), Failure> {
    let from = file
        .as_ref()
        .map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
    let text = match file {
        Some(path) => std::fs::read_to_string(path),
        None if io::stdin().is_terminal() => ask(),
        None => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map(|_| text)
        }
    };
    match text {
        Ok(text) => Ok((from, text)),
        Err(source) => Err(Failure::usage(format!(
            "failed to read the token from {from}: {source}"
        ))),
    }
}

fn read_secret(file: Option<PathBuf>) -> Result<Secret, Failure> {
    let (from, text) = read_text(file)?;
    if text.trim_start().starts_with('{') {
        // The parser's own words could quote the token.
        return serde_json::from_str(&text).map_err(|error| {
            Failure::usage(format!(
                "failed to read the token from {from}: line {} is not of the form {{\"accessToken\": …}}",
                error.line()
            ))
        });
    }
    let token = platform_env::first_line(&text).ok_or_else(|| {
        Failure::usage(format!(
            "failed to read the token from {from}: its first line is no token"
        ))
    })?;
    Ok(Secret {
        access_token: token.expose_secret().to_owned(),
        ..Secret::default()
    })
}

/// Asks on the terminal, without showing what is typed.
fn ask() -> io::Result<String> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    eprint!("Token (it is not shown): ");
    tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
    let mut line = String::new();
    let read = stdin.read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    eprintln!();
    read.map(|_| line)
}

fn rate_limit(text: &str) -> Result<RateLimit, Failure> {
    let refused = || {
        Failure::usage(format!(
            "failed to read --rate-limit: {text:?} is not FAMILY=REQUESTS/SECONDS, such as followers=300/900"
        ))
    };
    let (family, rest) = text.split_once('=').ok_or_else(refused)?;
    let (requests, seconds) = rest.split_once('/').ok_or_else(refused)?;
    let requests: i64 = requests.parse().map_err(|_| refused())?;
    let seconds: i64 = seconds.trim_end_matches('s').parse().map_err(|_| refused())?;
    if !matches!(family, "followers" | "lookup") || requests < 1 || !(1..=31_536_000).contains(&seconds) {
        return Err(refused());
    }
    Ok(RateLimit {
        family: family.to_owned(),
        requests,
        window_milliseconds: seconds * 1000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_family_a_number_and_a_time() {
        let limit = rate_limit("followers=20/3").unwrap();
        assert_eq!(
            (limit.family.as_str(), limit.requests, limit.window_milliseconds),
            ("followers", 20, 3000)
        );
        for wrong in [
            "followers",
            "followers=20",
            "posts=1/1",
            "followers=0/3",
            "followers=1/0",
            "followers=a/b",
        ] {
            assert!(rate_limit(wrong).is_err(), "{wrong}");
        }
    }
}
