//! Where those listen who keep the inputs of running attempts open.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::domain::id::AssignmentId;
use crate::output::{Error, Outputs};

impl Outputs {
    /// Returns where the keeper of an attempt's input listens, whether it is there or not.
    pub fn keeper(&self, assignment: AssignmentId) -> PathBuf {
        self.absolute(&Path::new("keepers").join(assignment.0.to_string()))
    }

    /// Makes room for a keeper that is about to start, and returns where it is to listen. Blocks the thread.
    pub fn prepare_keeper(&self, assignment: AssignmentId) -> Result<PathBuf, Error> {
        let path = self.within(&Path::new("keepers").join(assignment.0.to_string()))?;
        let directory = self.absolute(Path::new("keepers"));
        let made = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&directory);
        made.map_err(|source| Error::MakeDirectory { path: directory, source })?;
        Ok(path)
    }
}
