/*!
Buffers that connections of one thread lend each other.

A connection needs one only while something of it is half read, half received
or half written, which is rarely; so none keeps one, idle connections hold
nothing, and busy ones allocate nothing.
*/

use std::cell::RefCell;

/// Buffers kept, and how large one may be to be kept: 2 MiB a thread at most.
const KEPT: usize = 32;
const LARGEST: usize = 64 << 10;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer, of any capacity.
pub fn take() -> Vec<u8> {
    SPARE.with_borrow_mut(|spare| spare.pop().unwrap_or_default())
}

/// Takes back a buffer that is no longer used.
pub fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > LARGEST {
        return;
    }
    buffer.clear();
    // A buffer may outlive the thread's own data.
    let _ = SPARE.try_with(|spare| {
        if let Ok(mut spare) = spare.try_borrow_mut()
            && spare.len() < KEPT
        {
            spare.push(buffer);
        }
    });
}
