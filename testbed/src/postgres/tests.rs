use super::*;

#[test]
fn it_starts_stores_and_is_gone_with_its_folder() {
    let server = Postgres::start(Options::default()).unwrap();
    let url = server.create_database().unwrap();
    assert!(url.ends_with("/test_0"), "{url}");
    server
        .run_sql(
            "test_0",
            "CREATE TABLE kept (id BIGINT); INSERT INTO kept VALUES (7)",
        )
        .unwrap();
    let copy = server.copy_database(&url).unwrap();
    assert!(copy.ends_with("/test_1"), "{copy}");
    assert_eq!(server.run_sql("test_1", "SELECT id FROM kept").unwrap(), "7");
    assert_eq!(server.run_sql("test_1", "SHOW fsync").unwrap(), "on");
    let (folder, pid) = (server.folder().to_owned(), server.pid().unwrap());
    drop(server);
    assert!(!folder.exists(), "{}", folder.display());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn a_killed_server_comes_back_with_what_was_committed() {
    let server = Postgres::start(Options { fsync: false }).unwrap();
    server
        .run_sql(
            "postgres",
            "CREATE TABLE kept (id BIGINT); INSERT INTO kept VALUES (7)",
        )
        .unwrap();
    server.kill().unwrap();
    assert!(server.run_sql("postgres", "SELECT 1").is_err());
    server.restart().unwrap();
    assert_eq!(server.run_sql("postgres", "SELECT id FROM kept").unwrap(), "7");
}

#[test]
fn a_paused_server_answers_only_after_it_goes_on() {
    let server = Postgres::start(Options { fsync: false }).unwrap();
    server.pause().unwrap();
    std::thread::scope(|scope| {
        let (told, heard) = std::sync::mpsc::channel();
        let server = &server;
        scope.spawn(move || told.send(server.run_sql("postgres", "SELECT 7").unwrap()));
        assert!(heard.recv_timeout(Duration::from_millis(300)).is_err());
        server.resume().unwrap();
        assert_eq!(heard.recv_timeout(Duration::from_secs(20)).unwrap(), "7");
    });
}
