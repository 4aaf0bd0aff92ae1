//! Python's multiprocessing, where there is a python3.

use crate::harness::Outcome;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const SCRIPT: &str = include_str!("multiprocessing_bench.py");

/// Whether there is a python3 with multiprocessing.
pub(crate) fn is_here() -> bool {
    static HERE: OnceLock<bool> = OnceLock::new();
    *HERE.get_or_init(|| {
        let mut command = Command::new("python3");
        command.args(["-c", "import multiprocessing"]).stderr(Stdio::null()).stdin(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

/// Has the script run one of its scenarios, and gives the samples that it prints.
pub(crate) fn run(scenario: &str, arguments: &[u64]) -> Outcome<Vec<f64>> {
    // Spawned children import the main module, so that it must be a file.
    let path = std::env::temp_dir().join(format!("procession-bench-{}.py", std::process::id()));
    let _file = Script::write(&path)?;
    let output = Command::new("python3")
        .arg(&path)
        .arg(scenario)
        .args(arguments.iter().map(u64::to_string))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(text.lines().last().unwrap_or("python3 failed").to_owned().into());
    }
    let text = String::from_utf8(output.stdout)?;
    text.split_whitespace().map(|sample| Ok(sample.parse()?)).collect()
}

/// The script's file; removed when dropped.
struct Script<'a>(&'a std::path::Path);

impl<'a> Script<'a> {
    fn write(path: &'a std::path::Path) -> Outcome<Self> {
        let mut file = std::fs::File::create(path)?;
        let script = Self(path);
        file.write_all(SCRIPT.as_bytes())?;
        Ok(script)
    }
}

impl Drop for Script<'_> {
    fn drop(&mut self) {
        // One that is left behind does no harm.
        let _ = std::fs::remove_file(self.0);
    }
}
