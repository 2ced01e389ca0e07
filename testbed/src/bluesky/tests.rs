use super::*;

/// The columns of a follower that do not hold its name.
const ROW: &str = "SELECT concat_ws(' ', f.cid, f.\"createdAt\", f.\"sortAt\", r.cid, r.json, p.\"followsCount\", a.\"trustedVerifier\") \
    FROM appview.follow f JOIN appview.record r ON r.uri = f.uri JOIN appview.actor a ON a.did = f.creator \
    JOIN appview.profile_agg p ON p.did = f.creator WHERE f.creator = ";

fn listed(bluesky: &Bluesky, subject: &str) -> Vec<String> {
    let path = format!("/xrpc/app.bsky.graph.getFollowers?actor={subject}");
    let page = http::request(bluesky.app_view, "GET", &path, None, None).unwrap();
    let page = page.json().unwrap();
    let rows = page["followers"].as_array().unwrap();
    rows.iter()
        .map(|row| row["handle"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_seeded_follower_is_stored_as_the_subscription_stores_it() {
    let bluesky = Bluesky::start().unwrap();
    let star = bluesky.create_account("star").unwrap();
    let real = bluesky.create_account("real").unwrap();
    let date = "1969-06-01T00:00:00.000Z";
    let uri = bluesky.follow(&real, &star.did, date).unwrap();
    bluesky.wait_until_indexed(&uri, true).unwrap();
    let seeded = Follow {
        did: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        handle: "seeded.test".to_owned(),
        created_at: date.to_owned(),
        indexed_at: "2025-01-01T00:00:00.000Z".to_owned(),
    };
    let did = seeded.did.clone();
    bluesky.seed(&star.did, &[seeded]).unwrap();
    let row = |did: &str| bluesky.rows(&format!("{ROW}'{did}'")).unwrap();
    bluesky.wait_until(|| Ok(!row(&real.did).is_empty())).unwrap();
    assert_eq!(row(&did), row(&real.did));
    let mut handles = listed(&bluesky, &star.did);
    handles.sort();
    assert_eq!(handles, ["real.test", "seeded.test"]);
    bluesky.unfollow(&real, &uri).unwrap();
    bluesky.wait_until_indexed(&uri, false).unwrap();
    assert_eq!(listed(&bluesky, &star.did), ["seeded.test"]);
}
