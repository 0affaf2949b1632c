//! The recorded fixtures, as the test files share them.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file below `fixtures/`.
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// A recorded vector file.
pub(crate) fn vectors(name: &str) -> Value {
    let path = fixture("ssv-split").join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

/// The text of a JSON string.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
