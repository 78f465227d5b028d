//! `ldwatch whois PID`: which container is a process in?

use std::path::Path;

use serde_json::json;

use crate::cli::say;
use crate::error::{Error, shown};
use crate::survey::whois::whois;

/// Asks the files below `proc_root` and nothing else.
///
/// # Errors
/// There is no such process.
pub fn run(pid: i32, proc_root: Option<&Path>, as_json: bool) -> Result<(), Error> {
    let proc_root = proc_root.unwrap_or(Path::new("/proc"));
    let answer = whois(proc_root, pid).map_err(|error| Error::Failed {
        act: "read",
        on: error.path.to_string_lossy().into_owned(),
        source: error.source,
        advice: "is there such a process?",
    })?;
    let runtime = answer.runtime.map(|runtime| runtime.name());
    if as_json {
        return say(&format!(
            "{}\n",
            json!({"container_id": answer.container_id, "runtime": runtime})
        ));
    }
    say(&match (answer.container_id, runtime) {
        (Some(id), runtime) => format!(
            "{} ({})\n",
            shown(&id),
            runtime.unwrap_or("unknown runtime")
        ),
        (None, Some(runtime)) => format!("no container ID ({runtime})\n"),
        (None, None) => "in no container\n".to_owned(),
    })
}
