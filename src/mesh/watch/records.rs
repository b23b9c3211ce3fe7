/*!
The records of the objects of one kind, and whether they have changed.
*/

use super::objects::Object;
use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

/// Records that their store changes and that directories are built from.
pub(crate) type SharedRecords<O> = Rc<RefCell<Records<O>>>;

/// The records of one list and watch, by the objects' keys.
pub(crate) struct Records<O: Object> {
    records: HashMap<String, Arc<O::Record>>,
    /// A list was complete; otherwise nothing is known.
    pub(crate) listed: bool,
    /// Some are missing, for want of room.
    pub(crate) truncated: bool,
}

impl<O: Object> Default for Records<O> {
    fn default() -> Self {
        Self {
            records: HashMap::new(),
            listed: false,
            truncated: false,
        }
    }
}

impl<O: Object> Records<O> {
    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns true if an object has this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.records.contains_key(key)
    }

    /// Keeps a record. Returns whether that changes anything.
    pub(crate) fn put(&mut self, key: String, record: O::Record) -> bool {
        match self.records.get_mut(&key) {
            Some(old) if **old == record => false,
            Some(old) => {
                *old = Arc::new(record);
                true
            }
            None => {
                self.records.insert(key, Arc::new(record));
                true
            }
        }
    }

    /// Forgets a record. Returns whether there was one.
    pub(crate) fn remove(&mut self, key: &str) -> bool {
        self.records.remove(key).is_some()
    }

    /// Returns true if both hold the same.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.is_whole() == other.is_whole() && self.records == other.records
    }

    /// Returns true if nothing is missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.listed && !self.truncated
    }

    /// Returns every record.
    pub(crate) fn all(&self) -> impl Iterator<Item = Arc<O::Record>> + '_ {
        self.records.values().map(Arc::clone)
    }
}
