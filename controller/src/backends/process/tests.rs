use std::{collections::BTreeMap, env, os::unix::fs::PermissionsExt as _};

use followlytics_core::sandbox::InstanceState;
use followlytics_crds::SandboxClass;

use super::*;
use crate::backends::shim;

const UID: &str = "7c1e-0";

struct Bench {
    directory: tempfile::TempDir,
    backend: ProcessBackend,
    exits: async_mpsc::UnboundedReceiver<String>,
}

impl Bench {
    fn new(command: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = ProcessOptions {
            scan_command: command.iter().map(OsString::from).collect(),
            grace: Duration::from_secs(5),
            ..ProcessOptions::new(directory.path().join("sandboxes"), Path::new("unused"))
        };
        Self::with(directory, options)
    }

    fn with(directory: tempfile::TempDir, options: ProcessOptions) -> Self {
        let (backend, exits) = ProcessBackend::start(options).unwrap();
        Self {
            directory,
            backend,
            exits,
        }
    }

    fn sh(script: &str) -> Self {
        Self::new(&["/bin/sh", "-c", script])
    }

    async fn start(&self) -> Instance {
        self.backend.ensure(&launch()).await.unwrap()
    }

    /// What ended, once it has.
    async fn end(&mut self) -> InstanceState {
        let uid = tokio::time::timeout(Duration::from_secs(20), self.exits.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(uid, UID);
        let Known::Present(instance) = self.backend.observe(UID).await else {
            panic!("it vanished")
        };
        instance.state
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("sandboxes").join(UID).join(name)
    }

    /// The text of a file that the process writes, once it is there.
    async fn text(&self, name: &str) -> String {
        let path = self.path(name);
        wait_for(|| fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n'))).await;
        fs::read_to_string(&path).unwrap().trim().to_owned()
    }
}

fn launch() -> Launch {
    Launch {
        uid: UID.to_owned(),
        name: "scan-7c1e-0".to_owned(),
        class: SandboxClass::Scan,
        broker: "http://127.0.0.1:4001".to_owned(),
        token: "the-token".to_owned().into(),
    }
}

async fn wait_for(condition: impl Fn() -> bool) {
    for _ in 0..4000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen within 20 s");
}

/// Whether nothing of this process runs: a zombie that nobody reaps is gone too.
fn is_gone(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with(['Z', 'X']))
    })
}

fn variables(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    // What a shell sets by itself.
    let own = ["PWD", "OLDPWD", "SHLVL", "_"];
    pairs
        .filter(|(name, _)| !own.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[tokio::test]
async fn the_token_arrives_on_standard_input_and_nowhere_else() {
    let mut bench = Bench::sh("read token; echo $token > token; /usr/bin/env > env");
    bench.start().await;
    assert_eq!(
        bench.end().await,
        InstanceState::Exited {
            code: Some(0),
            last_words: None
        }
    );
    assert_eq!(bench.text("token").await, "the-token");
    let all = bench.text("env").await;
    assert!(!all.contains("the-token"));
    let names: Vec<String> = variables(&all).into_keys().collect();
    assert_eq!(
        names,
        [
            "FOLLOWLYTICS_BROKER",
            "FOLLOWLYTICS_PARENT",
            "FOLLOWLYTICS_SANDBOX",
            "HOME"
        ]
    );
    assert_eq!(variables(&all)["FOLLOWLYTICS_BROKER"], "http://127.0.0.1:4001");
}

#[tokio::test]
async fn only_its_owner_can_read_its_directory() {
    let mut bench = Bench::sh("exit 0");
    bench.start().await;
    bench.end().await;
    for (path, mode) in [(bench.path("."), 0o700), (bench.path(launch::LOG), 0o600)] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[tokio::test]
async fn an_end_is_noticed_with_its_code_and_its_last_words() {
    let mut bench = Bench::sh("echo one; echo 'no such host' >&2; echo; exit 3");
    bench.start().await;
    let last_words = Some("no such host".to_owned());
    assert_eq!(
        bench.end().await,
        InstanceState::Exited {
            code: Some(3),
            last_words
        }
    );
}

#[tokio::test]
async fn an_end_by_a_signal_has_no_code() {
    let mut bench = Bench::sh("kill -9 $$");
    bench.start().await;
    assert_eq!(
        bench.end().await,
        InstanceState::Exited {
            code: None,
            last_words: None
        }
    );
}

#[tokio::test]
async fn starting_twice_starts_one() {
    let mut bench = Bench::sh("echo up >> starts; read token; exec /bin/sleep 600");
    let (one, two) = (bench.start().await, bench.start().await);
    assert_eq!(one, two);
    assert_eq!(bench.text("starts").await, "up");
    bench.backend.destroy(UID).await.unwrap();
    assert_eq!(bench.exits.recv().await.as_deref(), Some(UID));
}

#[tokio::test]
async fn what_has_ended_is_not_started_again_before_it_is_destroyed() {
    let mut bench = Bench::sh("exit 3");
    bench.start().await;
    bench.end().await;
    assert!(matches!(
        bench.start().await.state,
        InstanceState::Exited { code: Some(3), .. }
    ));
}

#[tokio::test]
async fn destroying_ends_the_whole_group_and_clears_its_directory() {
    let bench = Bench::sh("/bin/sleep 600 & echo $! > child; wait");
    let leader = bench.start().await.id;
    let child = bench.text("child").await;
    assert!(!is_gone(&leader) && !is_gone(&child));
    bench.backend.destroy(UID).await.unwrap();
    assert_eq!(bench.backend.observe(UID).await, Known::Absent);
    assert!(is_gone(&leader) && !bench.path(".").exists());
    // The group got its signal before; how soon a child is torn down is the kernel's business.
    wait_for(|| is_gone(&child)).await;
    bench.backend.destroy(UID).await.unwrap();
}

#[tokio::test]
async fn one_that_will_not_end_is_killed() {
    let mut bench = Bench::sh("trap '' TERM; echo up > up; while :; do /bin/sleep 1; done");
    bench.backend.options.grace = Duration::from_millis(200);
    let leader = bench.start().await.id;
    bench.text("up").await;
    bench.backend.destroy(UID).await.unwrap();
    assert!(is_gone(&leader));
}

#[tokio::test]
async fn one_that_is_asked_to_end_may_finish_what_it_is_doing() {
    let script =
        "trap 'echo done > ../finished; exit 0' TERM; echo up > up; while :; do /bin/sleep 0.05; done";
    let bench = Bench::sh(script);
    bench.start().await;
    bench.text("up").await;
    bench.backend.destroy(UID).await.unwrap();
    let told = fs::read_to_string(bench.directory.path().join("sandboxes/finished")).unwrap();
    assert_eq!(told, "done\n");
}

#[tokio::test]
async fn nothing_outlives_the_process_that_started_it() {
    let mut bench = Bench::sh("/bin/sleep 600 & echo $! > child; exit 0");
    bench.start().await;
    bench.end().await;
    let child = bench.text("child").await;
    wait_for(|| is_gone(&child)).await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_refused_by_name() {
    let bench = Bench::new(&["/no/such/program", "run-scan"]);
    let error = bench.backend.ensure(&launch()).await.unwrap_err();
    assert!(matches!(error, BackendError::Refused { .. }));
    assert!(error.to_string().contains("/no/such/program run-scan"), "{error}");
    assert_eq!(bench.backend.observe(UID).await, Known::Absent);
}

#[tokio::test]
async fn a_uid_cannot_leave_the_directory() {
    let bench = Bench::sh("exit 0");
    let outside = Launch {
        uid: "../x".to_owned(),
        ..launch()
    };
    assert!(matches!(
        bench.backend.ensure(&outside).await,
        Err(BackendError::Refused { .. })
    ));
}

#[test]
fn what_an_earlier_parent_left_behind_is_swept() {
    let directory = tempfile::tempdir().unwrap();
    let left = directory.path().join("sandboxes/old");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("runner.log"), "x").unwrap();
    let options = ProcessOptions::new(directory.path().join("sandboxes"), Path::new("unused"));
    let (_backend, _exits) = ProcessBackend::start(options).unwrap();
    assert!(!left.exists() && directory.path().join("sandboxes").exists());
}

/// The variable with the script that the shim is to become.
const SCRIPT: &str = "SHIM_SCRIPT";

/// A bench whose command is this very test binary: it runs the next test, which becomes the script.
fn through_the_shim(script: &str) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let name = "backends::process::tests::the_shim_becomes_its_command";
    let words = [
        env::current_exe().unwrap().into_os_string(),
        "--exact".into(),
        name.into(),
        "--nocapture".into(),
    ];
    let options = ProcessOptions {
        scan_command: words.into(),
        environment: vec![(SCRIPT.to_owned(), script.to_owned())],
        ..ProcessOptions::new(directory.path().join("sandboxes"), Path::new("unused"))
    };
    Bench::with(directory, options)
}

#[test]
fn the_shim_becomes_its_command() {
    let Ok(script) = env::var(SCRIPT) else {
        let error = shim::exec(Vec::new());
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        return;
    };
    let error = shim::exec(["/bin/sh".into(), "-c".into(), script.into()]);
    panic!("{error}");
}

#[tokio::test]
async fn the_shim_sets_limits_and_hands_standard_input_on() {
    let mut bench =
        through_the_shim("read token; (echo $token; ulimit -c; ulimit -n) > found; /usr/bin/env > env");
    bench.start().await;
    assert!(matches!(
        bench.end().await,
        InstanceState::Exited { code: Some(0), .. }
    ));
    let found = bench.text("found").await;
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(&lines[..2], ["the-token", "0"], "no core file ever holds a token");
    assert!(lines[2].parse::<u64>().unwrap() <= 4096);
    assert!(!bench.text("env").await.contains("FOLLOWLYTICS_PARENT"));
}

#[tokio::test]
async fn processes_die_with_the_thread_that_forked_them() {
    let bench = through_the_shim("echo up > up; exec /bin/sleep 600");
    let leader = bench.start().await.id;
    bench.text("up").await;
    let Bench {
        backend,
        mut exits,
        directory: _directory,
    } = bench;
    assert!(!is_gone(&leader));
    drop(backend);
    assert_eq!(exits.recv().await.as_deref(), Some(UID));
    assert!(is_gone(&leader));
}

#[tokio::test]
async fn the_shim_refuses_to_outlive_a_parent_that_is_gone() {
    let mut bench = through_the_shim("echo up > up");
    // Another process id than that of the parent: as if the one that forked it were gone.
    let mut recipe = Recipe::new(&bench.backend.options, &launch()).unwrap();
    recipe.environment.retain(|(name, _)| name != shim::PARENT);
    recipe.environment.push((shim::PARENT.to_owned(), "1".to_owned()));
    launch::launch(&recipe, &bench.backend.table).unwrap();
    assert!(matches!(
        bench.end().await,
        InstanceState::Exited { code: Some(_), .. }
    ));
    assert!(!bench.path("up").exists());
}
