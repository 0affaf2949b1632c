//! Recipes: what is printed is what its engine takes, and the one that can be run here is run.

use std::process::Command;

use super::{OUT, batch, merge, merged, plan, service};
use crate::stdout;

fn recipe(folder: &std::path::Path, engine: &str) -> String {
    let assert = batch(folder, &["recipe", engine, "--plan", "plan.jsonl", "--shards", "3"]).assert().success();
    stdout(&assert)
}

#[test]
fn gnu_parallel_runs_its_line() {
    let folder = service(7);
    let folder = folder.path();
    plan(folder);
    let text = recipe(folder, "parallel");
    let is_gnu =
        Command::new("parallel").arg("--version").output().is_ok_and(|output| output.stdout.starts_with(b"GNU"));
    if !is_gnu {
        eprintln!("SKIPPED: GNU parallel is not installed (apt-get install parallel)");
        return;
    }
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_dvkey")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &text])
        .current_dir(folder)
        .env("PATH", path)
        .env("DVKEY_PASSWORDS", "--password-dir ks")
        .output()
        .unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    merge(folder, &["--out", "merged"]).assert().success();
    assert_eq!(merged(folder, OUT).len(), 7);
}

/// What one of a recipe's readers could take for a command, a place or a comment stands in no recipe.
#[test]
fn paths_that_mean_something_else_to_somebody_are_refused() {
    let folder = service(1);
    let folder = folder.path();
    plan(folder);
    for name in
        ["my plan", "p$(touch X)", "$(JOB_COMPLETION_INDEX)", "x{}y", "x{work}", "a\nb", "a: b #c", "-p", "`x`", "ü"]
    {
        std::fs::copy(folder.join("plan.jsonl"), folder.join(name)).unwrap();
        for engine in ["kubernetes", "slurm", "parallel"] {
            let as_plan = ["recipe", engine, "--shards", "3", &format!("--plan={name}")];
            let as_work = ["recipe", engine, "--shards", "3", "--plan=plan.jsonl", &format!("--work={name}")];
            for arguments in [&as_plan[..], &as_work] {
                let assert = batch(folder, arguments).assert().code(1);
                assert!(crate::stderr(&assert).contains("code: batch.recipe "), "{}", crate::stderr(&assert));
                assert_eq!(stdout(&assert), "");
            }
        }
    }
    assert!(!folder.join("X").exists());
}

#[test]
fn slurm_script_is_one() {
    let folder = service(2);
    let folder = folder.path();
    plan(folder);
    let text = recipe(folder, "slurm");
    std::fs::write(folder.join("job.sh"), &text).unwrap();
    assert!(Command::new("bash").args(["-n", "job.sh"]).current_dir(folder).status().unwrap().success(), "{text}");
    // Directives count only before the first command.
    let directives = text.lines().skip(1).take_while(|line| line.starts_with('#'));
    let directives: Vec<_> = directives.filter_map(|line| line.strip_prefix("#SBATCH ")).collect();
    assert!(directives.contains(&"--array=1-3"), "{text}");
    assert_eq!(directives.len(), text.matches("#SBATCH ").count());
    // What Slurm would run: task 2 of 3, with the source of passwords handed to sbatch.
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_dvkey")).parent().unwrap();
    for task in ["1", "2", "3"] {
        let output = Command::new("bash")
            .args(["job.sh", "--password-dir", "ks"])
            .current_dir(folder)
            .env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()))
            .env("SLURM_ARRAY_TASK_ID", task)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    merge(folder, &["--out", "merged"]).assert().success();
    assert_eq!(merged(folder, OUT).len(), 2);
}

/// The fields that the Kubernetes API knows, as far as they are used: an object's fields, `[…]` a list, `*` any scalar or
/// map of them. From the reference of `batch/v1` Job and `networking.k8s.io/v1` NetworkPolicy, version 1.31.
const JOB: &str = r#"{"apiVersion": "*", "kind": "*", "metadata": {"name": "*", "labels": "*"}, "spec": {
  "completionMode": "*", "completions": "*", "parallelism": "*", "backoffLimit": "*", "backoffLimitPerIndex": "*",
  "maxFailedIndexes": "*", "activeDeadlineSeconds": "*", "ttlSecondsAfterFinished": "*",
  "podFailurePolicy": {"rules": [{"action": "*", "onExitCodes": {"containerName": "*", "operator": "*", "values": ["*"]}}]},
  "template": {"metadata": {"labels": "*"}, "spec": {
    "restartPolicy": "*", "automountServiceAccountToken": "*", "enableServiceLinks": "*",
    "securityContext": {"runAsNonRoot": "*", "runAsUser": "*", "runAsGroup": "*", "fsGroup": "*", "seccompProfile": {"type": "*"}},
    "containers": [{"name": "*", "image": "*", "command": ["*"], "args": ["*"],
      "resources": {"requests": {"cpu": "*", "memory": "*"}, "limits": {"cpu": "*", "memory": "*"}},
      "securityContext": {"allowPrivilegeEscalation": "*", "readOnlyRootFilesystem": "*", "capabilities": {"drop": ["*"]}},
      "volumeMounts": [{"name": "*", "mountPath": "*", "readOnly": "*"}]}],
    "volumes": [{"name": "*", "persistentVolumeClaim": {"claimName": "*"},
      "projected": {"defaultMode": "*", "sources": [{"secret": {"name": "*"}}]}}]}}}}"#;

const POLICY: &str = r#"{"apiVersion": "*", "kind": "*", "metadata": {"name": "*"}, "spec": {
  "podSelector": {"matchLabels": "*"}, "policyTypes": ["*"], "ingress": [], "egress": []}}"#;

fn fits(value: &serde_json::Value, schema: &serde_json::Value, place: &str) {
    use serde_json::Value::{Array, Object};
    match (value, schema) {
        (Object(fields), Object(known)) => {
            for (name, value) in fields {
                let known = known.get(name).unwrap_or_else(|| panic!("{place} has no field {name}"));
                fits(value, known, &format!("{place}.{name}"));
            }
        }
        (Array(elements), Array(of)) => elements.iter().for_each(|element| fits(element, &of[0], place)),
        (Object(fields), _) => assert!(*schema == "*" && fields.values().all(|value| value.is_string()), "{place}"),
        (scalar, schema) => assert!(*schema == "*" && !scalar.is_array() && !scalar.is_null(), "{place}: {scalar}"),
    }
}

#[test]
fn kubernetes_manifest_is_one() {
    let folder = service(2);
    let folder = folder.path();
    plan(folder);
    let text = recipe(folder, "kubernetes");
    assert!(!text.contains('{'), "a place was not filled: {text}");
    let documents: Vec<serde_json::Value> = serde_yaml_ng::Deserializer::from_str(&text)
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect();
    let [job, policy] = documents.as_slice() else { panic!("{} documents", documents.len()) };
    fits(job, &serde_json::from_str(JOB).unwrap(), "Job");
    fits(policy, &serde_json::from_str(POLICY).unwrap(), "NetworkPolicy");
    assert_eq!((&job["apiVersion"], &job["kind"]), (&"batch/v1".into(), &"Job".into()));
    let spec = &job["spec"];
    assert_eq!((&spec["completionMode"], &spec["completions"]), (&"Indexed".into(), &3.into()));
    let pod = &spec["template"]["spec"];
    // What pod failure policies ask for.
    assert_eq!(pod["restartPolicy"], "Never");
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let names = |list: &serde_json::Value| {
        list.as_array().unwrap().iter().map(|entry| entry["name"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&container["volumeMounts"]), names(&pod["volumes"]));
    assert_eq!(policy["spec"]["podSelector"]["matchLabels"], spec["template"]["metadata"]["labels"]);
    // The arguments are a command line that dvkey takes, with the index that the controller would put there.
    let words = container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    let words: Vec<_> = words.map(|word| word.replace("$(JOB_COMPLETION_INDEX)", "2")).collect();
    let assert = crate::dvkey(folder).args(&words).assert().code(1);
    assert!(crate::stderr(&assert).contains("/batch/plan.jsonl: not found"), "{}", crate::stderr(&assert));
}
