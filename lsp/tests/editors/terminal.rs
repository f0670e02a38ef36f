//! A program in a terminal of its own, which `tmux` draws: keys go in, the screen comes out.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// How long the program may take to show something.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal with one program. It ends with this value.
pub struct Terminal {
    socket: String,
}

impl Terminal {
    /// Starts a program in a folder, with variables in its environment.
    pub fn start(folder: &Path, variables: &[(&str, String)], program: &[&str]) -> Self {
        let name = folder.file_name().unwrap().to_string_lossy();
        let terminal = Self { socket: format!("mesa-{name}-{}", std::process::id()) };
        let mut command = terminal.command();
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.args(["-f", "/dev/null", "new-session", "-d", "-s", "mesa", "-c"]).arg(folder);
        command.args(["-x", "132", "-y", "34", "env", "COLORTERM=truecolor"]).args(program);
        let started = command.output().unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        terminal
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.env_remove("TMUX").args(["-L", &self.socket]);
        command
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Types characters as they are.
    pub fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-t", "mesa", "-l", "--", text]);
    }

    /// Presses a key by its name, such as `Escape`.
    pub fn presses(&self, key: &str) {
        self.tmux(&["send-keys", "-t", "mesa", key]);
    }

    /// The screen as text.
    pub fn screen(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p", "-t", "mesa"]).stdout).unwrap()
    }

    /// The same with the escape sequences that colour it.
    pub fn coloured(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p", "-e", "-t", "mesa"]).stdout).unwrap()
    }

    /// The first screen that is as wanted; `what` names it.
    #[track_caller]
    pub fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(started.elapsed() < PATIENCE, "waited for {what}:\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The first screen that shows all of this.
    #[track_caller]
    pub fn shows(&self, all: &[&str]) -> String {
        self.until(&format!("{all:?}"), |screen| all.iter().all(|one| screen.contains(one)))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
