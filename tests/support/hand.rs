//! An attack program that stays: it holds a descriptor or a mapping between two words.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

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

    /// Says a word and waits until it was obeyed.
    pub fn say(&mut self, word: &str, nonce: &str) -> Result<(), String> {
        writeln!(self.words, "{word} {nonce}").map_err(|error| format!("{word}: {error}"))?;
        self.answered(word)
    }

    /// Waits until it says that something was done.
    pub fn answered(&mut self, word: &str) -> Result<(), String> {
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer);
        match (read, answer.as_str()) {
            (Ok(_), "ok\n") => Ok(()),
            (read, answer) => Err(format!("{word} was not obeyed: {answer:?} {read:?}")),
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
