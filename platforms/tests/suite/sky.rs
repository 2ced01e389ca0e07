//! A simulated world, and a reader of its lists.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use followlytics_core::{
    account::{AccountRef, Platform},
    platform::{Auth, Seek},
    retry::Failure,
    row::Line,
    scan::range::{NEWEST, OLDEST, Place, Span, Walk},
};
use followlytics_platforms::{
    connector::{Context, FetchedPage, PageRequest, connector},
    http::{HttpError, HttpService, from_service, send},
};
use followlytics_simulator::{
    AccountSpec, DROP_HEADER, FaultKind, FaultSpec, Platform as There, World, WorldConfig, router,
};
use http::Request;
use jiff::Timestamp;
use tower::{service_fn, util::BoxCloneSyncService};

/// A world that stands still, and the way into it.
pub(crate) struct Sky {
    pub(crate) world: Arc<World>,
    pub(crate) http: HttpService,
    pub(crate) base_url: String,
    pub(crate) now: Timestamp,
}

pub(crate) const HANDLE: &str = "nasa.test";

pub(crate) fn sky(
    platform: Platform,
    followers: u64,
    config: impl FnOnce(&mut WorldConfig),
) -> (Sky, AccountRef) {
    sky_of(platform, followers, config, |_| ())
}

pub(crate) fn sky_of(
    platform: Platform,
    followers: u64,
    config: impl FnOnce(&mut WorldConfig),
    account: impl FnOnce(&mut AccountSpec),
) -> (Sky, AccountRef) {
    let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    let mut settings = WorldConfig {
        seed: 7,
        ..WorldConfig::default()
    };
    config(&mut settings);
    let world = Arc::new(World::new(settings, Arc::new(move || now)));
    let handle = match platform {
        Platform::X | Platform::GitHub | Platform::Mastodon => "nasa",
        Platform::Bluesky | Platform::Gitea => HANDLE,
    };
    let host = platform.has_servers().then_some("h");
    let mut spec = AccountSpec::new(there(platform), handle, followers);
    account(&mut spec);
    world.create_account(spec).unwrap();
    let account = AccountRef::new(&platform.to_string(), handle, host).unwrap();
    (
        Sky {
            http: wire(Arc::clone(&world)),
            base_url: "http://simulator".into(),
            world,
            now,
        },
        account,
    )
}

/// The router as a service on which a dropped answer is a broken connection.
fn wire(world: Arc<World>) -> HttpService {
    let inner = from_service::<_, axum::body::Body, _>(router(world));
    BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
        let inner = inner.clone();
        async move {
            let answer = send(&inner, request).await?;
            if answer.headers().contains_key(DROP_HEADER) {
                return Err(HttpError::Broken("connection closed".into()));
            }
            Ok(answer)
        }
    }))
}

impl Sky {
    pub(crate) fn context(&self, auth: Auth) -> Context {
        Context {
            http: self.http.clone(),
            base_url: self.base_url.clone(),
            auth,
            token: (auth != Auth::Anonymous).then(|| "simulator-bearer".into()),
            now: self.now,
            start_by: Timestamp::MAX,
        }
    }

    pub(crate) fn fault(&self, kind: FaultKind) {
        self.world.set_fault(FaultSpec::once(kind)).unwrap();
    }
}

pub(crate) const fn auth(platform: Platform) -> Auth {
    match platform {
        Platform::X => Auth::AppBearer,
        _ => Auth::Anonymous,
    }
}

/// Reads one list from `from` down to (at least) `lo`.
pub(crate) struct Reader<'a> {
    pub(crate) sky: &'a Sky,
    pub(crate) account: &'a AccountRef,
    pub(crate) id: String,
    pub(crate) max_rows: u32,
    /// A range of positions; a chain without.
    pub(crate) span: Option<Span>,
}

impl Reader<'_> {
    pub(crate) async fn page(&self, place: &Place, walk: Walk) -> Result<FetchedPage, Failure> {
        let platform = self.account.platform;
        let request = PageRequest {
            account_id: &self.id,
            handle: &self.account.handle,
            walk,
            span: self.span,
            place,
            max_rows: self.max_rows,
            page_rows: platform.facts().page_rows,
        };
        connector(platform)
            .page(&self.sky.context(auth(platform)), request)
            .await
    }

    pub(crate) async fn ids(&self, from: Place, lo: i64) -> Vec<String> {
        let (mut place, mut ids) = (from, Vec::new());
        for _ in 0..10_000 {
            let page = self.page(&place, Walk::Down).await.unwrap();
            let last = ids.len().saturating_sub(page.lines.len());
            let known: Vec<String> = ids[last..].to_vec();
            let rows = page.lines.into_iter().map(|line| match line {
                Line::Row(row) => row.id,
                Line::Unread { .. } => panic!("{line:?}"),
            });
            // Bluesky's rows of one key come again.
            let is_new = |id: &String| self.account.platform != Platform::Bluesky || !known.contains(id);
            ids.extend(rows.filter(is_new));
            match page.next {
                Some(next) if next.position > lo || next.cursor.is_some() && self.span.is_none() => {
                    place = next;
                }
                _ => return ids,
            }
        }
        panic!("the list has no end");
    }
}

pub(crate) async fn reader<'a>(sky: &'a Sky, account: &'a AccountRef) -> Reader<'a> {
    let ctx = sky.context(auth(account.platform));
    let (report, _) = connector(account.platform)
        .look_up(&ctx, account, None)
        .await
        .unwrap();
    Reader {
        sky,
        account,
        id: report.id,
        max_rows: account.platform.facts().page_rows,
        span: (account.platform.facts().seek != Seek::Chain).then_some(Span {
            lo: OLDEST,
            hi: NEWEST,
        }),
    }
}

pub(crate) const fn newest(platform: Platform, followers: i64) -> Place {
    match platform {
        Platform::X => Place::at(0),
        Platform::Bluesky | Platform::Mastodon => Place::at(NEWEST),
        Platform::Gitea | Platform::GitHub => Place::at(followers),
    }
}

pub(crate) fn truth(sky: &Sky, account: &AccountRef) -> BTreeSet<String> {
    sky.world
        .truth(there(account.platform), &account.handle, sky.now, sky.now)
        .unwrap()
        .into_iter()
        .collect()
}

pub(crate) const fn there(platform: Platform) -> There {
    match platform {
        Platform::X => There::X,
        Platform::Bluesky => There::Bluesky,
        Platform::Gitea => There::Gitea,
        Platform::GitHub => There::Github,
        Platform::Mastodon => There::Mastodon,
    }
}
