//! How much of the machine a task may use, where its owner says so.

use std::fmt;

use crate::domain::task::{InvalidSpec, Resource};

/// What a task may use of the machine. Most have nothing of this.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Confinement {
    /// Its niceness, from -20 (first) to 19 (last).
    pub nice: Option<i32>,
    /// The processors that it may run on.
    pub cpus: Option<CpuSet>,
    /// Limits of each of its processes.
    pub rlimits: Vec<Rlimit>,
    /// How much memory all of it may use together, in bytes.
    pub memory: Option<u64>,
    /// How much processor time all of it may use together, in thousandths of a processor.
    pub cpu_millis: Option<u32>,
}

/// A limit of a process, of both kinds, as setrlimit(2) takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rlimit {
    /// Of what.
    pub resource: Resource,
    /// The limit in force; `None` is no limit.
    pub soft: Option<u64>,
    /// How far the process may raise it itself.
    pub hard: Option<u64>,
}

/// Numbers of processors, ascending, each once; at least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CpuSet(Vec<u32>);

/// So many processors a set can name.
///
/// Source: CPU_SET(3), CPU_SETSIZE.
pub const CPUS_MAX: u32 = 1_024;
/// No program starts in less memory.
pub const MEMORY_MIN: u64 = 1 << 20;
/// The least processor time that is shared out, in thousandths of a processor.
///
/// Source: the kernel's `admin-guide/cgroup-v2`, `cpu.max`: a quota of 1 ms in a period of 100 ms.
pub const CPU_MILLIS_MIN: u32 = 10;
/// The most: of all processors that a set can name.
pub const CPU_MILLIS_MAX: u32 = CPUS_MAX * 1_000;

impl Confinement {
    /// Returns whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.nice.is_none() && self.cpus.is_none() && self.rlimits.is_empty() && !self.needs_group()
    }

    /// Returns whether only a control group can keep to it.
    pub fn needs_group(&self) -> bool {
        self.memory.is_some() || self.cpu_millis.is_some()
    }

    /// Checks what can be checked without looking at a machine.
    pub fn check(&self) -> Result<(), InvalidSpec> {
        if let Some(nice) = self.nice.filter(|nice| !(-20..=19).contains(nice)) {
            return Err(InvalidSpec::Nice(nice));
        }
        for (place, limit) in self.rlimits.iter().enumerate() {
            let name = limit.resource.as_str();
            if self.rlimits[..place].iter().any(|before| before.resource == limit.resource) {
                return Err(InvalidSpec::RlimitTwice(name));
            }
            if limit.soft.unwrap_or(u64::MAX) > limit.hard.unwrap_or(u64::MAX) {
                return Err(InvalidSpec::RlimitAbove(name));
            }
        }
        if let Some(memory) = self.memory.filter(|memory| *memory < MEMORY_MIN) {
            return Err(InvalidSpec::Memory(memory));
        }
        if self.cpu_millis.is_some_and(|millis| !(CPU_MILLIS_MIN..=CPU_MILLIS_MAX).contains(&millis)) {
            return Err(InvalidSpec::CpuLimit);
        }
        Ok(())
    }

    /// Returns it as one word, which [`Self::from_word`] reads: `nice=5;cpus=0-3;nofile=1024:4096;memory=1073741824;cpu=1500`.
    pub fn to_word(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.nice.map(|nice| format!("nice={nice}")));
        parts.extend(self.cpus.as_ref().map(|cpus| format!("cpus={cpus}")));
        let limit = |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
        let rlimit = |one: &Rlimit| format!("rlimit.{}={}:{}", one.resource.as_str(), limit(one.soft), limit(one.hard));
        parts.extend(self.rlimits.iter().map(rlimit));
        parts.extend(self.memory.map(|memory| format!("memory={memory}")));
        parts.extend(self.cpu_millis.map(|millis| format!("cpu={millis}")));
        parts.join(";")
    }

    /// Reads such a word; `None` for one that is none. What a later version may have added is none.
    pub fn from_word(word: &str) -> Option<Self> {
        let mut read = Self::default();
        for part in word.split(';').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=')?;
            match key {
                "nice" => read.nice = Some(value.parse().ok()?),
                "cpus" => read.cpus = Some(CpuSet::parse(value)?),
                "memory" => read.memory = Some(value.parse().ok()?),
                "cpu" => read.cpu_millis = Some(value.parse().ok()?),
                _ => {
                    let limit = |text: &str| match text {
                        "unlimited" => Some(None),
                        number => number.parse().ok().map(Some),
                    };
                    let (soft, hard) = value.split_once(':')?;
                    let resource = Resource::from_word(key.strip_prefix("rlimit.")?)?;
                    read.rlimits.push(Rlimit { resource, soft: limit(soft)?, hard: limit(hard)? });
                }
            }
        }
        Some(read)
    }
}

impl CpuSet {
    /// Reads numbers and ranges: `0-3`, `0,2,4-7`. `None` for what is none, and for numbers from [`CPUS_MAX`] on.
    pub fn parse(text: &str) -> Option<Self> {
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<u32>().ok().filter(|cpu| *cpu < CPUS_MAX);
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            cpus.extend(first..=last);
        }
        cpus.sort_unstable();
        cpus.dedup();
        Some(Self(cpus))
    }

    /// Returns the numbers.
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, run) in self.0.chunk_by(|a, b| a + 1 == *b).enumerate() {
            let comma = if place > 0 { "," } else { "" };
            match run {
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                [one] => write!(f, "{comma}{one}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Confinement {
        Confinement {
            nice: Some(-5),
            cpus: CpuSet::parse("0-3,8"),
            rlimits: vec![
                Rlimit { resource: Resource::Nofile, soft: Some(1_024), hard: Some(4_096) },
                Rlimit { resource: Resource::Core, soft: Some(0), hard: None },
            ],
            memory: Some(1 << 30),
            cpu_millis: Some(1_500),
        }
    }

    #[test]
    fn what_is_said_is_one_word_and_comes_back() {
        let word = "nice=-5;cpus=0-3,8;rlimit.nofile=1024:4096;rlimit.core=0:unlimited;memory=1073741824;cpu=1500";
        assert_eq!(full().to_word(), word);
        assert_eq!(Confinement::from_word(word), Some(full()));
        assert_eq!(Confinement::from_word(""), Some(Confinement::default()));
        for wrong in ["nice", "nice=x", "cpus=", "rlimit.x=1:2", "rlimit.core=1", "later=1", "memory=-1"] {
            assert_eq!(Confinement::from_word(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sets_of_processors_are_read_as_they_are_written() {
        for (text, shown) in
            [("0", "0"), ("0-3", "0-3"), ("3,1,2", "1-3"), ("0,2,4-5,5", "0,2,4-5"), (" 1 - 2 ", "1-2")]
        {
            assert_eq!(CpuSet::parse(text).unwrap().to_string(), shown);
        }
        for wrong in ["", "a", "3-1", "1-", "-1", "1,,2", "1024", "0-99999999"] {
            assert_eq!(CpuSet::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!((full().check(), full().is_empty(), Confinement::default().is_empty()), (Ok(()), false, true));
        let with = |change: fn(&mut Confinement)| {
            let mut confinement = full();
            change(&mut confinement);
            confinement.check().unwrap_err().to_string()
        };
        assert_eq!(with(|it| it.nice = Some(20)), "niceness `20` is not between -20 and 19");
        assert_eq!(with(|it| it.rlimits[1].resource = Resource::Nofile), "the limit `nofile` is there twice");
        assert_eq!(
            with(|it| it.rlimits[0].hard = Some(9)),
            "the limit `nofile` is above its hard limit; write both as `nofile=SOFT:HARD`"
        );
        assert_eq!(
            with(|it| it.memory = Some(5)),
            "a memory limit of `5` bytes is below the 1 MiB that any program needs"
        );
        assert_eq!(with(|it| it.cpu_millis = Some(0)), "a limit of processor time is from `0.01` to `1024` processors");
    }
}
