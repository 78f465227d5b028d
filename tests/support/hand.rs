//! An attack program that stays: it holds a descriptor or a mapping between two words.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The process; it ends with the value.
pub struct Hand {
    child: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Hand {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the attack program starts");
        let words = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            child,
            words,
            answers,
        }
    }

    /// Says a word and waits until it was obeyed; when that was begun.
    pub fn say(&mut self, word: &str, nonce: &str) -> Result<SystemTime, String> {
        writeln!(self.words, "{word} {nonce}").map_err(|error| format!("{word}: {error}"))?;
        self.answered(word)
    }

    /// Waits until it says that something was done; when it was begun, if it says so.
    pub fn answered(&mut self, word: &str) -> Result<SystemTime, String> {
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer);
        match (read, answer.trim_end().strip_prefix("ok")) {
            (Ok(_), Some(begun)) => Ok(begun.trim().parse().map_or_else(
                |_| SystemTime::now(),
                |nanos| UNIX_EPOCH + Duration::from_nanos(nanos),
            )),
            (read, _) => Err(format!("{word} was not obeyed: {answer:?} {read:?}")),
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
