/*!
The tap is open for as long as somebody looks: each look holds it open for some seconds.
*/

use crate::pipeline::Tap;
use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    task,
    time::{Instant, sleep_until},
};

/// Until when the tap is open.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// None: it is closed.
    until: Rc<Cell<Option<Instant>>>,
}

impl Watch {
    /// Holds the tap open for so long from now. Needs a `LocalSet`.
    pub(super) fn hold(&self, tap: &Arc<Tap>, patience: Duration) {
        let end = Instant::now() + patience;
        let before = self.until.get();
        self.until.set(Some(before.map_or(end, |old| old.max(end))));
        if before.is_some() {
            return;
        }
        tap.open();
        let (until, tap) = (Rc::clone(&self.until), Arc::clone(tap));
        task::spawn_local(async move {
            while let Some(end) = until.get().filter(|end| *end > Instant::now()) {
                sleep_until(end).await;
            }
            until.set(None);
            tap.close();
        });
    }
}
