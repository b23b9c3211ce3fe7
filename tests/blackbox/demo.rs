//! `wayspan demo`: what it prints is what the README shows, and the numbers of
//! pages are those measured with real Kialis.

use testkit::{binary, free_port};

fn demo(arguments: &[&str]) -> String {
    let output = binary().arg("demo").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    assert_eq!(errors, "", "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("<!-- demo -->\n```\n").unwrap();
    let (shown, _) = rest.split_once("```\n<!-- /demo -->").unwrap();
    assert_eq!(shown, demo(&[]));
}

#[test]
fn pages_before_and_after_are_the_measured_ones() {
    for (arguments, result) in [
        (
            "--istio 1.24 --kiali-version 2.7",
            "Without wayspan 13 of 14 pages find their traces, with it 13.",
        ),
        (
            "--istio 1.28 --kiali-version 2.7",
            "Without wayspan 2 of 14 pages find their traces, with it 13.",
        ),
        (
            "--istio 1.28 --kiali-version 2.7 --namespace-selector false",
            "Without wayspan 0 of 14 pages find their traces, with it 13.",
        ),
        (
            "--istio 1.29",
            "Without wayspan 11 of 14 pages find their traces, with it 11.",
        ),
        (
            "--istio 1.29 --use-waypoint-name",
            "Without wayspan 2 of 14 pages find their traces, with it 14.",
        ),
        (
            "--istio 1.30 --use-waypoint-name=false",
            "Without wayspan 4 of 14 pages find their traces, with it 11.",
        ),
        (
            "--istio sidecar --namespace-selector false",
            "Without wayspan 0 of 12 pages find their traces, with it 11.",
        ),
    ] {
        let said = demo(&arguments.split(' ').collect::<Vec<_>>());
        assert!(said.contains(result), "{arguments}: {said}");
    }
}

#[test]
fn a_jaeger_that_is_not_there_is_named_and_fails() {
    let nobody = format!("127.0.0.1:{}", free_port());
    let output = binary()
        .args(["demo", "--send-to", &nobody])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains(&format!("The Jaeger at {nobody} did not take the spans")),
        "{said}"
    );
    assert!(
        said.contains("with it 11"),
        "the table is there all the same: {said}"
    );
}
