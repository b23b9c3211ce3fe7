//! `wayspan doctor` on a real Kubernetes API, with real Jaegers, Collectors and Envoys: it finds
//! a mesh well, finds each fault made there, and its fixes, applied as printed, mend it.

mod behind;
mod install;
mod istio;
mod large;
mod names;
mod proxies;
mod spans;

use crate::kubernetes::Cluster;
use serde_json::Value;
use testkit::binary;

/// Runs the doctor: its exit code and what it says as JSON.
fn doctor(cluster: &Cluster) -> (i32, Value) {
    doctor_with(cluster, &[])
}

fn doctor_with(cluster: &Cluster, arguments: &[String]) -> (i32, Value) {
    let mut command = binary();
    command.args(["doctor", "--output", "json", "--kubeconfig"]);
    command.arg(cluster.kubeconfig()).args(arguments);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors, "");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = output.status.code().unwrap();
    assert_eq!(said["exit_code"], code);
    (code, said)
}

fn first_cause(said: &Value) -> (String, String) {
    let first = &said["causes"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&first["check"]), text(&first["fix"]["command"]))
}

/// The keys that the first fix says to set in Kiali's or Istio's configuration, if it does.
fn keys_of_first_fix(said: &Value) -> Option<Value> {
    let text = said["causes"][0]["fix"]["text"].as_str()?;
    let line = text.lines().find(|line| line.contains(": {"))?;
    serde_saphyr::from_str(line).ok().filter(Value::is_object)
}

/// What is said to be broken; what may be meant is not.
fn broken(said: &Value) -> Vec<&Value> {
    let causes = said["causes"].as_array().unwrap().iter();
    causes
        .filter(|one| one["likelihood"] != "possible")
        .collect()
}

/// Every problem of the checks that are broken is a cause, or stands with one.
fn assert_all_named(said: &Value) {
    let causes = said["causes"].to_string();
    let checks = said["checks"].as_array().unwrap().iter();
    for check in checks.filter(|check| check["status"] == "broken") {
        for problem in check["problems"].as_array().unwrap() {
            let problem = problem.to_string();
            assert!(
                causes.contains(problem.trim_matches('"')),
                "{problem}: {said:#}"
            );
        }
    }
}
