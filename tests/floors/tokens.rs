//! Rust text to tokens: enough to find paths, blocks and attributes. Comments,
//! strings and characters vanish, so words in them are never mistaken for code.

/// One token and the line it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// An identifier (without `r#`), `::`, or one character.
    pub text: String,
    /// From 1.
    pub line: usize,
}

/// The tokens of a file.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader {
        chars: text.chars().collect(),
        at: 0,
        line: 1,
        out: Vec::new(),
    };
    while let Some(c) = reader.peek(0) {
        reader.step(c);
    }
    reader.out
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    line: usize,
    out: Vec<Token>,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn step(&mut self, c: char) {
        let line = self.line;
        match (c, self.peek(1)) {
            ('/', Some('/')) => self.skip_while(|c| c != '\n'),
            ('/', Some('*')) => self.block_comment(),
            ('"', _) => self.string(),
            ('\'', _) => self.quote(),
            (':', Some(':')) => {
                self.at += 2;
                self.push("::", line);
            }
            _ if c.is_alphanumeric() || c == '_' => self.word(),
            _ => {
                self.bump();
                if !c.is_whitespace() {
                    self.push(&c.to_string(), line);
                }
            }
        }
    }

    fn push(&mut self, text: &str, line: usize) {
        self.out.push(Token {
            text: text.to_owned(),
            line,
        });
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.bump();
        }
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                (None, _) => return,
                _ => {
                    self.bump();
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.bump();
        while let Some(c) = self.bump() {
            match c {
                '\\' => drop(self.bump()),
                '"' => return,
                _ => {}
            }
        }
    }

    /// A character, or a lifetime (which has no closing quote).
    fn quote(&mut self) {
        self.bump();
        let lifetime = self.peek(0) != Some('\\') && self.peek(1) != Some('\'');
        if lifetime {
            return self.skip_while(|c| c.is_alphanumeric() || c == '_');
        }
        while let Some(c) = self.bump() {
            match c {
                '\\' => drop(self.bump()),
                '\'' => return,
                _ => {}
            }
        }
    }

    /// An identifier or number, or the prefix of a string (`b"`, `r#"`, `br"`, `c"`).
    fn word(&mut self) {
        let (from, line) = (self.at, self.line);
        self.skip_while(|c| c.is_alphanumeric() || c == '_');
        let word: String = self.chars[from..self.at].iter().collect();
        let hashes = (0..).take_while(|n| self.peek(*n) == Some('#')).count();
        let raw = matches!(word.as_str(), "r" | "br" | "cr");
        match self.peek(hashes) {
            Some('"') if raw => self.raw_string(hashes),
            Some('"') if hashes == 0 && matches!(word.as_str(), "b" | "c") => self.string(),
            Some('\'') if hashes == 0 && word == "b" => self.quote(),
            Some(_) if hashes == 1 && word == "r" => drop(self.bump()),
            _ => self.push(&word, line),
        }
    }

    fn raw_string(&mut self, hashes: usize) {
        self.at += hashes + 1;
        while let Some(c) = self.bump() {
            if c == '"' && (0..hashes).all(|n| self.peek(n) == Some('#')) {
                self.at += hashes;
                return;
            }
        }
    }
}
