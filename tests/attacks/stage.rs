//! Plays attacks, one after another: a process of its own for each, honest
//! senders, and somebody who watches.

use crate::{
    attack::{Attack, Circumstances},
    catalogue::passwords,
    cgroup::Cgroup,
    figures::{Figures, HEAD},
    honest::Honest,
    manifest::Manifest,
    paced::Pace,
    target::{Answers, Target},
    watch,
};
use std::{
    env, fs,
    io::Write,
    path::Path,
    rc::Rc,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testkit::{Backend, Protocol, Setup, Wayspan, accounts, free_port, metrics::Page};
use tokio::{task::LocalSet, time::timeout};

/// Answers that each honest sender has before an attack.
const WARM: usize = 8;
/// How long what is held may take to be delivered afterwards.
const SETTLE: Duration = Duration::from_secs(20);

/// Plays the attacks that are wanted, and fails at the end if one hurts.
pub fn play(attacks: Vec<Attack>) {
    // Two at once would be two attackers.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let wanted = env::var("WAYSPAN_ATTACKS").ok();
    let is_long = env::var_os("WAYSPAN_LONG").is_some();
    let attacks = attacks
        .into_iter()
        .filter(|attack| match wanted.as_deref() {
            None => is_long || !attack.is_long,
            Some(word) => attack.name.contains(word) && (is_long || !attack.is_long),
        });
    show(HEAD);
    let mut failed = Vec::new();
    for attack in attacks {
        let figures = perform(&attack);
        let line = figures.line();
        show(&line);
        if !figures.faults().is_empty() {
            failed.push(line);
        }
    }
    assert!(failed.is_empty(), "these hurt:\n{}", failed.join("\n"));
}

/// Writes a line that is seen while the tests run, too: the macros' output is
/// kept back from who passes.
fn show(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn perform(attack: &Attack) -> Figures {
    let prepared = (attack.prepare)();
    let circumstances = &attack.circumstances;
    let manifest = Manifest::read();
    let backend = Backend::counting(Protocol::Grpc);
    let dir = TempDir::new().unwrap();
    let cgroup = Cgroup::of(manifest.container_mib);
    let mut setup = setup(
        circumstances,
        &manifest,
        &backend,
        dir.path(),
        cgroup.as_ref(),
    );
    let zipkin = if circumstances.zipkin { free_port() } else { 0 };
    if circumstances.zipkin {
        setup = setup.layer(format!(
            "receivers: {{zipkin: {{endpoint: '127.0.0.1:{zipkin}'}}}}\n\
             service: {{pipelines: {{traces: {{receivers: [otlp, zipkin]}}}}}}"
        ));
    }
    let wayspan = Wayspan::start(setup);
    let users = match circumstances.guarded {
        true => passwords::users(),
        false => Vec::new(),
    };
    let honest = Honest::start(wayspan.grpc, wayspan.http, users);
    honest.wait_served(WARM);
    let rest = wayspan.process().memory();
    if circumstances.away {
        backend.away();
    }
    let pace = Pace::new();
    let answers = Rc::<Answers>::default();
    let target = Target {
        grpc: wayspan.grpc,
        http: wayspan.http,
        zipkin,
        from: circumstances.from,
        pace: pace.clone(),
        answers: Rc::clone(&answers),
    };
    let end = AtomicBool::new(false);
    let container = manifest.container_mib << 20;
    let (memory, pages, honest, undelivered) = thread::scope(|scope| {
        let memory = scope.spawn(|| watch::memory(wayspan.process(), container, &end));
        let pages = scope.spawn(|| watch::pages(&wayspan, &end));
        // Said on the way out of a panic, too, since the scope waits for the two.
        let ended = End(&end);
        honest.begin();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let conduct = (prepared.conduct)(target);
        let lasting = async { timeout(circumstances.lasts, conduct).await };
        // It never ends by itself.
        let _ = LocalSet::new().block_on(&runtime, lasting);
        drop(runtime);
        let honest = honest.finish();
        if circumstances.away {
            backend.back();
        }
        let undelivered = settle(&wayspan);
        drop(ended);
        (
            memory.join().unwrap(),
            pages.join().unwrap(),
            honest,
            undelivered,
        )
    });
    let taken = honest.iter().flat_map(|ledger| &ledger.taken);
    let records = backend.records();
    let spans = taken.flat_map(|first| *first..first + crate::honest::SPANS);
    let missing = spans.filter(|n| !records.taken.contains(*n)).count();
    Figures {
        name: attack.name.clone(),
        wire: prepared.wire,
        sent: pace.sent(),
        answers: [&answers.taken, &answers.refused, &answers.ended].map(|count| count.get()),
        honest,
        rest_mib: rest >> 20,
        peak_mib: memory.peak >> 20,
        limit_mib: manifest.limit_mib(circumstances.default_limit),
        ended: memory.ended,
        red: pages.red,
        silent: pages.silent,
        unbalanced: pages.unbalanced,
        undelivered,
        missing,
        panicked: wayspan.log().contains("panicked"),
    }
}

/// Ends the watch when it is dropped.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The manifest's configuration, and what the circumstances change.
fn setup(
    its: &Circumstances,
    manifest: &Manifest,
    backend: &Backend,
    dir: &Path,
    cgroup: Option<&Cgroup>,
) -> Setup {
    let file = dir.join("config.yaml");
    fs::write(&file, &manifest.config).unwrap();
    let limit = manifest.limit_mib(its.default_limit);
    let mut extensions = vec!["health_check"];
    let mut setup = Setup::file(file).exporter("otlp_grpc", backend.port).layer(format!(
        "processors: {{memory_limiter: {{limit_mib: {}, spike_limit_mib: 1}}}}\n\
         exporters: {{otlp_grpc: {{retry_on_failure: {{initial_interval: 50ms, max_interval: 200ms}}}}}}\n\
         service: {{wayspan: {{shards: 2}}, pipelines: {{traces: {{processors: [memory_limiter, mesh, batch]}}}}}}",
        limit + 1
    ));
    if let Some(mib) = its.request_mib {
        setup = setup
            .grpc(&format!("max_recv_msg_size_mib: {mib}"))
            .http(&format!("max_request_body_size: {}", mib << 20));
    }
    let files = its.files.map(|files| format!("ulimit -n {files}"));
    let prelude: Vec<_> = cgroup.map(Cgroup::enter).into_iter().chain(files).collect();
    if !prelude.is_empty() {
        setup = setup.after(&prelude.join("; "));
    }
    if its.logged {
        extensions.push("file_storage");
        let log = dir.join("log");
        setup = setup.layer(format!(
            "extensions: {{file_storage: {{directory: {}, fsync: never}}}}\n\
             exporters: {{otlp_grpc: {{sending_queue: {{storage: file_storage}}}}}}",
            log.display()
        ));
    }
    if its.guarded {
        extensions.push("basicauth");
        let auth = "auth: {authenticator: basicauth}";
        setup = setup.grpc(auth).http(auth).layer(passwords::extension());
    }
    setup.layer(format!(
        "service: {{extensions: [{}]}}",
        extensions.join(", ")
    ))
}

/// Waits until nothing is held any more; what is, if that takes too long.
fn settle(wayspan: &Wayspan) -> Option<String> {
    let until = Instant::now() + SETTLE;
    loop {
        let page = Page::fetch_within(SETTLE, wayspan.metrics);
        let account = page.map(|page| accounts::read(&page).remove("otlp_grpc"));
        let held = match account {
            Ok(Some(account)) if account.held() == 0 => return None,
            Ok(account) => format!("{:?}", account.map(|account| account.held)),
            Err(error) => error.to_string(),
        };
        if Instant::now() > until || watch::resident(wayspan.process().pid()).is_none() {
            return Some(held);
        }
        thread::sleep(Duration::from_millis(20));
    }
}
