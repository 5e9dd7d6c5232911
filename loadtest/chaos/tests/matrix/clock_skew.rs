//! The clock of a host is an hour off, or jumps.

use testkit::{clock_off_by, eventually, faketime, skip};

use chaos::api::{Api, delivery};
use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::stage::Stage;

const HOUR_SECS: i64 = 3_600;
const EACH: usize = 3;
/// Jobs whose ids do not carry the database's time, or that are in a partition that is not the one of this time.
const ASTRAY: &str = "select count(*) from job where abs(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint
    - created_at / 1000) > 5000 or abs(created_at - flotilla_now()) > 300000000
    or tableoid::regclass::text not in (
        'job_p' || to_char(now() at time zone 'utc', 'YYYYMMDD'), 'job_p' || to_char(now() at time zone 'utc' - interval '5 min', 'YYYYMMDD'))";

/// Ids and times are the database's, whatever the host believes (ADR 0021); but the host says that something is wrong with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_clock_is_off_is_not_ready_and_mints_good_ids_all_the_same() {
    let Some(library) = faketime() else { skip!("faketime", testkit::NO_FAKETIME) };
    let servers = fresh_servers!();
    let mut stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.worker(10).await;
    let offset = stage.fleet.path().join("clock");
    let set = |seconds: i64| std::fs::write(&offset, format!("{seconds:+}\n")).expect("written");
    set(HOUR_SECS);
    let mut own = clock_off_by(&library, 0).to_vec();
    own.retain(|(name, _)| *name != "FAKETIME");
    own.extend([("FAKETIME_TIMESTAMP_FILE", offset.display().to_string()), ("FAKETIME_NO_CACHE", "1".to_owned())]);
    let skewed = stage.fleet.start("producer", &own).await;
    let (api, mut jobs) = (Api::of(&stage.fleet, &skewed), 0);
    for (seconds, ready) in [(HOUR_SECS, false), (0, true), (-HOUR_SECS, false), (20, true), (40, false)] {
        set(seconds);
        eventually("readiness says how the clock is", SOON, async || match skewed.get("/health/ready").await {
            Some((200, _)) if ready => Ok(()),
            Some((503, body)) if !ready && body.contains("this host's clock is more than 30 s from the database's") => Ok(()),
            other => Err(format!("{seconds} s: {other:?}")),
        })
        .await;
        for number in 0..EACH {
            let job = delivery(&stage.judge.late(0), &format!("{seconds} {number}"));
            let taken = api.submit(&job, &format!("{seconds}-{number}")).await;
            assert_eq!(taken.status, 202, "{taken:?}");
            jobs += 1;
        }
        assert_eq!(servers.database.ask(ASTRAY).await, [["0"]], "{seconds} s");
    }
    stage.done_once(&servers.database, jobs, SOON).await;
    stage.stop([worker, skewed]).await;
}
