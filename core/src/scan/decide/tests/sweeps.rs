//! Which lists may be read twice.

use super::*;

fn admitted(spec: serde_json::Value) -> Result<u32, String> {
    let bare = seen(&scan(json!({})), summary(Stage::Scanning));
    let nothing = Observed {
        recorded: None,
        summary: None,
        ..bare
    };
    admit::admit(&scan(spec), &nothing, &Policy::default())
        .map(|request| request.wishes.sweeps)
        .map_err(|refusal| refusal.message)
}

#[test]
fn lists_by_row_number_are_read_twice_and_others_are_refused_by_the_fields_name() {
    let gitea = json!({"platform": "gitea", "handle": "alice", "host": "git.example.org"});
    let github = json!({"platform": "github", "handle": "octocat"});
    let mastodon = json!({"platform": "mastodon", "handle": "alice", "host": "social.example"});
    assert_eq!(admitted(json!({})), Ok(1));
    assert_eq!(admitted(json!({"account": gitea, "sweeps": 2})), Ok(2));
    assert_eq!(admitted(json!({"account": github, "sweeps": 2})), Ok(2));
    for (spec, words) in [
        (json!({"sweeps": 2}), "bluesky is not listed by row number"),
        (
            json!({"account": mastodon, "sweeps": 2}),
            "is not listed by row number",
        ),
        (
            json!({"account": gitea, "sweeps": 2, "maxFollowers": 9}),
            "maxFollowers",
        ),
        (json!({"account": gitea, "sweeps": 3}), "3 is not 1 or 2"),
    ] {
        let refusal = admitted(spec).unwrap_err();
        assert!(
            refusal.starts_with("spec.sweeps: ") && refusal.contains(words),
            "{refusal}"
        );
    }
}
