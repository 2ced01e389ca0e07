//! The program itself, and the ends of what was started.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use rustix::process::{Pid, Signal, kill_process};

/// The program, beside the test's own executable. Built first if nobody has.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let own = env::current_exe().unwrap();
        let profile = own.parent().and_then(Path::parent).unwrap().to_owned();
        let program = profile.join("followlytics");
        if !program.is_file() {
            println!("{} is missing; building it", program.display());
            let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let target = profile.parent().unwrap();
            let built = Command::new(cargo)
                .args(["build", "--release", "--package", "followlytics", "--target-dir"])
                .arg(target)
                .status()
                .unwrap();
            assert!(
                built.success(),
                "build the program first: cargo build --release --package followlytics"
            );
        }
        program
    })
}

/// A child that is killed with this value.
#[derive(Debug)]
pub struct Ends(pub Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a signal to a child that was not waited for yet.
pub fn signal(child: &Child, name: &str) {
    let signal = match name {
        "INT" => Signal::INT,
        "TERM" => Signal::TERM,
        "HUP" => Signal::HUP,
        "STOP" => Signal::STOP,
        "CONT" => Signal::CONT,
        other => panic!("{other} is no signal of these tests"),
    };
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// The same command, started by another one that becomes it, such as `env`. Input is empty, output is piped.
pub fn through(words: &[&str], command: &Command) -> Command {
    let (program, arguments) = words.split_first().unwrap();
    let environment = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let mut wrapped = Command::new(program);
    wrapped
        .args(arguments)
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(environment)
        .current_dir(command.get_current_dir().unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    wrapped
}
