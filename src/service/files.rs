/*!
How many files, and so connections, this process may have open.

The soft limit is 1024 on most systems, for the sake of programs that use
`select`; those that do not are meant to raise it to the hard limit themselves,
as Go's runtime does.
*/

/// Each connection is a file, and so is each socket to a backend.
const FEW: u64 = 4096;

/// Raises the limit as far as it goes; warns where that is not far.
pub(crate) fn raise_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < FEW => tracing::warn!(
            "at most {limit} files may be open, and each connection is one: beyond that, senders \
             wait; raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd)"
        ),
        Ok(limit) => tracing::debug!("at most {limit} files may be open"),
        Err(error) => tracing::debug!("the limit of open files stays as it is: {error}"),
    }
}
