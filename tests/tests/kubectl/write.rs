//! Writing: apply of both kinds, dry runs, differences, patches, labels, deletion.

use followlytics_tests::toolkit::{Site, finish};

use crate::kubectl::{Cluster, paused};

fn cluster() -> Cluster {
    Cluster::start(&Site::slow(0, []))
}

#[test]
fn apply_creates_changes_and_leaves_alone() {
    let cluster = cluster();
    let file = paused("one");
    assert_eq!(cluster.apply(&file), "scan.followlytics.io/one created\n");
    assert_eq!(cluster.apply(&file), "scan.followlytics.io/one unchanged\n");
    let more = file.clone() + "  priority: 7\n  budget: {maxUsd: \"2.50\"}\n";
    assert_eq!(cluster.apply(&more), "scan.followlytics.io/one configured\n");
    let spec = cluster.json("get scan one")["spec"].clone();
    assert_eq!(
        (&spec["priority"], &spec["budget"]["maxUsd"]),
        (&7.into(), &"2.50".into())
    );
    cluster.apply(&file);
    let spec = cluster.json("get scan one")["spec"].clone();
    assert_eq!(
        spec["priority"], 0,
        "what the file no longer names has its default again"
    );
    assert!(spec["budget"].is_null(), "{spec}");
    let several = format!("{}---\n{}", paused("two"), paused("three"));
    assert_eq!(
        cluster.apply(&several),
        "scan.followlytics.io/two created\nscan.followlytics.io/three created\n"
    );
}

#[test]
fn a_server_side_apply_knows_whose_field_it_is() {
    let cluster = cluster();
    let apply =
        |file: &str, more: &str| cluster.with_file(&format!("apply --server-side {more} -f FILE"), file);
    let file = paused("one") + "  priority: 1\n";
    let first = apply(&file, "");
    assert_eq!(
        (first.code, first.out.as_str()),
        (0, "scan.followlytics.io/one serverside-applied\n"),
        "{first:?}"
    );
    let other = file.replace("priority: 1", "priority: 2");
    let refused = apply(&other, "--field-manager=somebody");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.err.contains("conflict") && refused.err.contains(".spec.priority"),
        "{refused:?}"
    );
    let forced = apply(&other, "--field-manager=somebody --force-conflicts");
    assert_eq!(forced.code, 0, "{forced:?}");
    assert_eq!(cluster.json("get scan one")["spec"]["priority"], 2);
    let managed = cluster.json("get scan one --show-managed-fields");
    let managers = managed["metadata"]["managedFields"].as_array().unwrap();
    assert!(
        managers.iter().any(|entry| entry["manager"] == "somebody"),
        "{managers:?}"
    );
}

#[test]
fn dry_runs_and_differences_store_nothing() {
    let cluster = cluster();
    let file = paused("one");
    let dry = cluster.with_file("apply --dry-run=server -f FILE", &file);
    assert_eq!(
        dry.out, "scan.followlytics.io/one created (server dry run)\n",
        "{dry:?}"
    );
    assert_eq!(cluster.ok("get scans -o name"), "");
    cluster.apply(&file);
    let same = cluster.with_file("diff -f FILE", &file);
    assert_eq!((same.code, same.out.as_str()), (0, ""), "{same:?}");
    let other = file + "  priority: 9\n";
    let differs = cluster.with_file("diff -f FILE", &other);
    assert_eq!(differs.code, 1, "{differs:?}");
    assert!(
        differs.out.contains("-  priority: 0") && differs.out.contains("+  priority: 9"),
        "{differs:?}"
    );
    let server = cluster.with_file("diff --server-side --force-conflicts -f FILE", &other);
    assert!(server.out.contains("+  priority: 9"), "{server:?}");
    assert_eq!(cluster.json("get scan one")["spec"]["priority"], 0);
}

#[test]
fn patches_labels_and_annotations_change_what_they_name() {
    let cluster = cluster();
    cluster.apply(&paused("one"));
    for (words, path, value) in [
        (
            &[
                "patch",
                "scan",
                "one",
                "--type=merge",
                "-p",
                r#"{"spec":{"priority":3}}"#,
            ][..],
            "/spec/priority",
            "3",
        ),
        (
            &[
                "patch",
                "scan",
                "one",
                "--type=json",
                "-p",
                r#"[{"op":"replace","path":"/spec/priority","value":4}]"#,
            ],
            "/spec/priority",
            "4",
        ),
        (
            &["label", "scan", "one", "stage=test"],
            "/metadata/labels/stage",
            "\"test\"",
        ),
        (
            &["label", "scan", "one", "stage=live", "--overwrite"],
            "/metadata/labels/stage",
            "\"live\"",
        ),
        (
            &["label", "scan", "one", "stage-"],
            "/metadata/labels/stage",
            "null",
        ),
        (
            &["annotate", "scan", "one", "note=a b"],
            "/metadata/annotations/note",
            "\"a b\"",
        ),
    ] {
        cluster.ok_words(words);
        let found = cluster.json("get scan one");
        let found = found
            .pointer(path)
            .map_or_else(|| "null".to_owned(), ToString::to_string);
        assert_eq!(found, value, "{words:?}");
    }
    let refused = cluster.run("label scan one team=green");
    assert!(refused.err.contains("--overwrite"), "{refused:?}");
}

#[test]
fn an_editor_changes_an_object_and_its_mistakes_come_back() {
    let cluster = cluster();
    cluster.apply(&paused("one"));
    let edit = |script: &str| {
        let mut command = cluster.command(["edit", "scan", "one"]);
        command.env("EDITOR", format!("sed -i {script}"));
        finish(command.spawn().unwrap(), "kubectl edit")
    };
    let edited = edit("'s/priority: 0/priority: 5/'");
    assert!(
        edited.out.contains("scan.followlytics.io/one edited"),
        "{edited:?}"
    );
    assert_eq!(cluster.json("get scan one")["spec"]["priority"], 5);
    // The editor comes back with the refusal; it is left as it is, and that ends the edit.
    let wrong = edit("'s/priority: 5$/priority: 5000/'");
    assert_eq!(wrong.code, 1, "{wrong:?}");
    let (_, copy) = wrong.err.split_once("stored to \"").unwrap();
    let copy = std::fs::read_to_string(copy.split('"').next().unwrap()).unwrap();
    assert!(
        copy.contains("# * spec.priority: ") && copy.contains("less than or equal to 1000"),
        "{copy}"
    );
    assert_eq!(cluster.json("get scan one")["spec"]["priority"], 5);
}

#[test]
fn what_is_deleted_is_gone_with_what_it_owned() {
    let cluster = cluster();
    for name in ["one", "two", "three", "four"] {
        cluster.apply(&paused(name));
    }
    assert_eq!(
        cluster.ok("delete scan one"),
        "scan.followlytics.io \"one\" deleted from default namespace\n".replace(
            " from default namespace",
            if cluster.ok("version").contains("Client Version: v1.34") {
                " from default namespace"
            } else {
                ""
            }
        )
    );
    let gone = cluster.run("get scan one");
    assert_eq!(gone.code, 1);
    assert!(
        gone.err.contains("scans.followlytics.io \"one\" not found"),
        "{gone:?}"
    );
    assert!(cluster.run("delete scan one").err.contains("not found"));
    assert_eq!(cluster.run("delete scan one --ignore-not-found").code, 0);
    let file = cluster.with_file("delete -f FILE --cascade=background", &paused("two"));
    assert_eq!(file.code, 0, "{file:?}");
    assert_eq!(cluster.run("delete scan three --wait=false").code, 0);
    cluster.ok("wait scan/three --for=delete --timeout=20s");
    cluster.ok("delete scans --all");
    assert_eq!(cluster.ok("get scans -o name"), "");
}
