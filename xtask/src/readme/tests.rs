use super::*;

fn outcome_of(script: &str) -> Result<(), String> {
    let checkout = Checkout::find().unwrap();
    let fences = fences::parse(&format!("```sh\n{script}\n```\n")).unwrap();
    let data = tempfile::tempdir().unwrap();
    let programs = tempfile::tempdir().unwrap();
    run_fence(&checkout, &fences[0], programs.path(), data.path()).unwrap()
}

#[test]
fn a_fence_fails_with_its_first_failing_command() {
    assert_eq!(
        outcome_of("false\ntrue"),
        Err("failed (exit status: 1)".to_owned())
    );
    assert!(outcome_of("false | true").is_err());
    assert!(outcome_of("echo $FOLLOWLYTICS_NEVER_SET").is_err());
}

#[test]
fn a_fence_runs_in_the_root_with_a_data_directory_and_the_built_programs_first() {
    assert_eq!(
        outcome_of("test -f Cargo.toml\ntest -d \"$FOLLOWLYTICS_DATA\"\ntest -d \"${PATH%%:*}\""),
        Ok(())
    );
}
