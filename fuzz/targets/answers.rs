//! Whatever a platform answers, a connector makes a page or a failure of it, and no page leads to where it began.
//!
//! The first byte chooses platform and question, the second the status; then come headers, a line each, an empty
//! line, and the body.
#![no_main]

use bytes::Bytes;
use followlytics_core::{
    account::{AccountRef, Platform},
    platform::Auth,
    scan::range::{NEWEST, Place, Span, Walk},
};
use followlytics_platforms::connector::{Context, PageRequest, connector};
use futures::FutureExt as _;
use http::{HeaderName, HeaderValue, Response};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use tower::{service_fn, util::BoxCloneSyncService};

const STATUS: [u16; 12] = [200, 200, 200, 200, 301, 400, 401, 403, 404, 429, 500, 503];

fuzz_target!(|data: &[u8]| {
    let [choice, status, rest @ ..] = data else { return };
    let (platform, account, walk) = match choice % 5 {
        0 => (Platform::X, "x:@ada", Walk::Down),
        1 => (Platform::Bluesky, "bluesky:ada.test", Walk::Down),
        2 => (Platform::GitHub, "github:ada", Walk::Up),
        3 => (Platform::Gitea, "gitea:ada@code.test", Walk::Up),
        _ => (Platform::Mastodon, "mastodon:@ada@social.test", Walk::Down),
    };
    let account: AccountRef = account.parse().expect("an account");
    let response = response(STATUS[usize::from(*status) % STATUS.len()], rest);
    let ctx = Context {
        http: BoxCloneSyncService::new(service_fn(move |_| {
            let response = response.clone();
            async move { Ok(response) }
        })),
        base_url: "https://platform.test".into(),
        auth: Auth::AppBearer,
        token: Some("secret".to_owned().into()),
        now: Timestamp::UNIX_EPOCH,
        start_by: Timestamp::MAX,
    };
    let connector = connector(platform);
    // A prepared answer is there at once.
    if choice & 0x80 == 0 {
        let told = connector
            .look_up(&ctx, &account, None)
            .now_or_never()
            .expect("an answer");
        assert!(
            told.is_err() || !told.is_ok_and(|(report, _)| report.id.is_empty()),
            "an id"
        );
        return;
    }
    let place = match walk {
        Walk::Down => Place::at(NEWEST),
        Walk::Up => Place::at(0),
    };
    let request = PageRequest {
        account_id: "7",
        handle: &account.handle,
        walk,
        span: (choice & 0x40 != 0).then_some(Span { lo: 0, hi: NEWEST }),
        place: &place,
        max_rows: 50,
        page_rows: 50,
    };
    if let Ok(page) = connector.page(&ctx, request).now_or_never().expect("an answer") {
        assert_ne!(page.next.as_ref(), Some(&place), "a page leads on");
    }
});

fn response(status: u16, rest: &[u8]) -> Response<Bytes> {
    let mut response = Response::builder().status(status);
    let end = rest.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((&[][..], rest), |end| (&rest[..end], &rest[end + 2..]));
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&line[colon + 1..])) {
            response = response.header(name, value);
        }
    }
    response.body(Bytes::copy_from_slice(body)).expect("a response")
}
