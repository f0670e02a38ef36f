//! Sweeps that end early, as real processes: what is there is whole, and going on gives what one
//! run would have given.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // helpers are tests

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const MANY: &str = "
sweep many of chat {
  vary serve.batch  in random(1 .. 512, 60000)
  vary serve.prompt in random(1 .. 512, 60000)
  minimize tpot
}
sweep endless of chat {
  vary serve.batch  in random(1 .. 512, 100000000)
  vary serve.prompt in random(1 .. 512, 100000000)
  minimize tpot
}
";

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mesa-stops-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/chat-70b.mesa");
        let text = std::fs::read_to_string(example).unwrap() + MANY;
        std::fs::write(path.join("a.mesa"), text).unwrap();
        Self(path)
    }

    /// A line of the shell; `mesa` is the command.
    fn shell(&self, line: &str) -> Output {
        let line = line.replace("mesa sweep", concat!(env!("CARGO_BIN_EXE_mesa"), " sweep"));
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(&self.0).stdin(Stdio::null());
        command.output().unwrap()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The number after `--skip` in what was said.
fn skip(said: &str) -> usize {
    let rest = said.split_once("--skip ").unwrap().1;
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_interrupt_leaves_whole_rows() {
    let dir = Dir::new("interrupt");
    let mut child = Command::new(env!("CARGO_BIN_EXE_mesa"))
        .args(["sweep", "a.mesa", "endless", "--all", "--format", "csv", "-o", "out.csv"])
        .current_dir(&dir.0)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while std::fs::metadata(dir.0.join("out.csv")).map_or(0, |m| m.len()) < 100_000 {
        std::thread::sleep(Duration::from_millis(20));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{text}");
    let rows = dir.read("out.csv");
    assert!(rows.ends_with('\n'));
    assert_eq!(rows.lines().count() - 1, skip(&text), "{text}");
}

#[test]
fn after_a_full_disk_going_on_gives_what_one_run_gives() {
    let dir = Dir::new("full");
    let all = "mesa sweep a.mesa many --all --format csv -o";
    assert!(dir.shell(&format!("{all} whole.csv")).status.success());
    // Blocks of 512 bytes: too few for all rows.
    let full = dir.shell(&format!("ulimit -f 12000; exec {all} part.csv"));
    let said = said(&full);
    assert_eq!(full.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot be written"), "{said}");
    let part = dir.read("part.csv");
    assert!(part.ends_with('\n'), "the last row is whole");
    let rows = part.lines().count() - 1;
    assert_eq!(rows, skip(&said), "{said}");
    assert!(rows > 0);
    let rest = dir.shell(&format!("{all} rest.csv --skip {rows}"));
    assert!(rest.status.success());
    assert!(part + &dir.read("rest.csv") == dir.read("whole.csv"), "the parts are no whole");
}

#[test]
fn on_a_full_disk_a_parquet_file_is_closed_with_the_rows_that_it_has() {
    let dir = Dir::new("parquet");
    let line = "mesa sweep a.mesa many --all --format parquet -o out.parquet";
    let full = dir.shell(&format!("ulimit -f 6000; exec {line}"));
    let said = said(&full);
    assert_eq!(full.status.code(), Some(2), "{said}");
    let bytes = std::fs::read(dir.0.join("out.parquet")).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{said}");
    assert!(bytes.len() <= 6000 * 512);
    // The footer says how many rows there are: those that need not be computed again.
    let rows = skip(&said);
    assert!(rows > 0 && rows.is_multiple_of(16_384), "{said}");
}

#[test]
fn a_device_that_is_full_is_said_and_nothing_is_lost_silently() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let dir = Dir::new("device");
    for line in [
        "mesa sweep a.mesa many --all --format csv -o /dev/full",
        "mesa sweep a.mesa many --all --format csv > /dev/full",
        "mesa sweep a.mesa many --all --format parquet -o /dev/full",
        "mesa sweep a.mesa many --format json > /dev/full",
    ] {
        let output = dir.shell(line);
        let said = said(&output);
        assert!(output.status.code() == Some(2) && said.contains("cannot be written"), "{said}");
    }
}
