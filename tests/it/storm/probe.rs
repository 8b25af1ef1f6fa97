//! A task that leaves traces: it writes down that it started and how it is about to end, and its output is known
//! beforehand.

use std::path::Path;

/// The log that all probes of a world append to, each line by one `write`.
pub const EFFECTS: &str = "effects";
/// The gate that some probes wait for: a FIFO that can be opened for reading once somebody has opened it for writing.
pub const GATE: &str = "gate";

const SCRIPT: &str = r#"
name=$1 lines=$2 block=$3 child=$4 nap=$5 gate=$6 stubborn=$7
shift 7
n=$APEX_ATTEMPT
while [ "$n" -gt 1 ] && [ $# -gt 1 ]; do shift; n=$((n - 1)); done
say() {
    read -r up _ < /proc/uptime
    echo "$1 $APEX_TASK_ID $APEX_ATTEMPT $$ $up $name $2" >> effects
}
[ "$stubborn" = 0 ] || trap '' TERM
say START "$1"
[ "$child" = 0 ] || sleep 1000 &
i=0
while [ "$i" -lt "$lines" ]; do
    i=$((i + 1))
    if [ $((i % 3)) = 0 ]; then echo "$name $APEX_ATTEMPT $i" >&2; else echo "$name $APEX_ATTEMPT $i"; fi
done
if [ "$block" -gt 0 ]; then
    s=$name
    while [ ${#s} -lt "$block" ]; do s=$s$s; done
    echo "$s"
fi
[ "$nap" = 0 ] || sleep "$nap"
[ "$gate" = 0 ] || : < gate
say END "$1"
case $1 in
    -*) kill "$1" $$ ;;
    *) exit "$1" ;;
esac
"#;

/// How a probe is to come to its end, if nobody interferes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// As its own ends and its retries say.
    ByItself,
    /// By its time limit.
    TimedOut,
    /// It does not run: what it depends on does not succeed.
    Skipped,
    /// It was cancelled before it had a chance to end.
    Cancelled,
}

/// What a probe does.
#[derive(Debug, Clone)]
pub struct Probe {
    pub name: String,
    /// Further flags of `task add`.
    pub flags: Vec<String>,
    pub fate: Fate,
    pub retries: usize,
    /// The exit code of each attempt, negative for a signal; the last one is that of all further attempts.
    pub ends: Vec<i32>,
    /// So many lines are written, every third to standard error.
    pub lines: u32,
    /// A further line is at least so long.
    pub block: usize,
    /// It leaves a process behind.
    pub child: bool,
    /// It sleeps for so many seconds.
    pub nap: &'static str,
    /// It waits for the gate.
    pub gate: bool,
    /// It ignores SIGTERM.
    pub stubborn: bool,
    pub split: bool,
    /// It has a terminal.
    pub terminal: bool,
}

impl Probe {
    /// A probe that writes a few lines and ends with this code.
    pub fn new(name: impl Into<String>, end: i32) -> Probe {
        Probe {
            name: name.into(),
            flags: Vec::new(),
            fate: Fate::ByItself,
            retries: 0,
            ends: vec![end],
            lines: 4,
            block: 0,
            child: false,
            nap: "0",
            gate: false,
            stubborn: false,
            split: false,
            terminal: false,
        }
    }

    pub fn flags(mut self, flags: &[&str]) -> Probe {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// Tries again after a failure, so often; `ends` are the codes of the attempts.
    pub fn retried(mut self, retries: usize, ends: &[i32]) -> Probe {
        (self.retries, self.ends) = (retries, ends.to_vec());
        self.flags(&["--retries", &retries.to_string(), "--retry-delay", "30ms"])
    }

    pub fn split(mut self) -> Probe {
        self.split = true;
        self.flags(&["--split-output"])
    }

    /// Has it need a piece of the resource `gpu`.
    pub fn with_a_piece(self) -> Probe {
        self.flags(&["--need", "gpu=1"])
    }

    pub fn needs_a_piece(&self) -> bool {
        self.flags.iter().any(|flag| flag == "gpu=1")
    }

    /// Gives it a terminal.
    pub fn terminal(mut self) -> Probe {
        self.terminal = true;
        self.flags(&["--pty"])
    }

    /// Returns the arguments of the command that adds it and prints the task's number.
    pub fn add(&self) -> Vec<String> {
        let mut args: Vec<String> = ["task", "add", "-q", "-n", &self.name].map(str::to_owned).to_vec();
        args.extend(self.flags.iter().cloned());
        args.extend(["--", "sh", "probe.sh", &self.name].map(str::to_owned));
        args.extend([self.lines.to_string(), self.block.to_string(), u8::from(self.child).to_string()]);
        args.extend([self.nap.to_owned(), u8::from(self.gate).to_string(), u8::from(self.stubborn).to_string()]);
        args.extend(self.ends.iter().map(i32::to_string));
        args
    }

    /// Returns the exit code of an attempt, negative for a signal.
    pub fn end(&self, attempt: usize) -> i32 {
        self.ends[(attempt - 1).min(self.ends.len() - 1)]
    }

    /// Returns how many attempts it takes if nobody interferes.
    pub fn attempts(&self) -> usize {
        (1..=self.retries).find(|attempt| self.end(*attempt) == 0).unwrap_or(self.retries + 1)
    }

    /// Returns what an attempt writes to a stream as the store calls it.
    pub fn output(&self, attempt: usize, stream: &str) -> String {
        let mut text = String::new();
        for line in 1..=self.lines {
            let is_error = line % 3 == 0;
            if stream == "merged" || (stream == "stderr") == is_error {
                text += &format!("{} {attempt} {line}\n", self.name);
            }
        }
        if self.block > 0 && stream != "stderr" {
            let mut block = self.name.clone();
            while block.len() < self.block {
                block = block.repeat(2);
            }
            text += &block;
            text.push('\n');
        }
        // What a terminal makes of a line end.
        if self.terminal { text.replace('\n', "\r\n") } else { text }
    }
}

/// Puts what probes need into a project's root.
pub fn install(root: &Path) {
    std::fs::write(root.join("probe.sh"), SCRIPT).unwrap();
    std::fs::write(root.join(EFFECTS), "").unwrap();
    nix::unistd::mkfifo(&root.join(GATE), nix::sys::stat::Mode::S_IRWXU).unwrap();
}

/// Opens the gate, for as long as what is returned lives.
pub fn open_gate(root: &Path) -> std::fs::File {
    std::fs::OpenOptions::new().read(true).write(true).open(root.join(GATE)).unwrap()
}

/// A line of the effect log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub is_start: bool,
    pub task: u64,
    pub attempt: usize,
    pub pid: i32,
    pub name: String,
    pub end: i32,
    /// Where in the log the line begins.
    pub offset: u64,
}

/// Reads the effect log. What is no line of a probe is returned as it is.
pub fn effects(root: &Path) -> (Vec<Effect>, Vec<String>) {
    let text = std::fs::read_to_string(root.join(EFFECTS)).unwrap();
    let (mut effects, mut torn, mut offset) = (Vec::new(), Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        match parse(line.trim_end(), offset) {
            Some(effect) => effects.push(effect),
            None => torn.push(line.to_owned()),
        }
        offset += line.len() as u64;
    }
    (effects, torn)
}

fn parse(line: &str, offset: u64) -> Option<Effect> {
    let words: Vec<&str> = line.split(' ').collect();
    let [word, task, attempt, pid, _uptime, name, end] = words.as_slice() else { return None };
    Some(Effect {
        is_start: match *word {
            "START" => true,
            "END" => false,
            _ => return None,
        },
        task: task.parse().ok()?,
        attempt: attempt.parse().ok()?,
        pid: pid.parse().ok()?,
        name: (*name).to_owned(),
        end: end.parse().ok()?,
        offset,
    })
}
