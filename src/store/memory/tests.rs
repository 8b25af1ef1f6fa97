use std::sync::Arc;

use crate::store::conformance::{Fresh, conformance};
use crate::store::memory::Memory;

fn fresh() -> Fresh {
    (Arc::new(Memory::new()), Box::new(()))
}

conformance!(fresh);
