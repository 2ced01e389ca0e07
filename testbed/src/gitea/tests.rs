use super::*;

#[test]
fn a_seeded_follower_is_stored_as_the_api_stores_it() {
    for database in [Database::Sqlite, Database::Postgres] {
        let gitea = Gitea::start(database).unwrap();
        gitea.seed(10).unwrap();
        assert_eq!(gitea.followers().unwrap().len(), 9);
        gitea.follow("f10").unwrap();
        let ids = gitea.ids().unwrap();
        let row = |name: &str| {
            let id = &ids[name];
            gitea
                .sql
                .rows(&format!(
                    "SELECT CAST(f.follow_id AS TEXT) || ' ' || u.num_following || ' ' || u.num_followers \
                     FROM follow f JOIN \"user\" u ON u.id = f.user_id WHERE u.id = {id}"
                ))
                .unwrap()
        };
        assert_eq!(row("f1"), row("f10"), "{database:?}");
        gitea.unfollow("f1").unwrap();
        let listed = http::request(
            gitea.port,
            "GET",
            &format!("/api/v1/users/{STAR}/followers"),
            Some(&format!("token {}", gitea.token())),
            None,
        );
        let listed: BTreeSet<String> = listed
            .unwrap()
            .json()
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["id"].to_string())
            .collect();
        assert_eq!(listed, gitea.followers().unwrap(), "{database:?}");
        assert!(!listed.contains(&ids["f1"]));
    }
}
