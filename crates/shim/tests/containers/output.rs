use runtime_oci::{Position, Runtime};

use crate::world::{bounded, in_a_world};

#[test]
fn a_flood_into_a_small_spool_waits_for_its_reader_and_loses_nothing() {
    in_a_world(|mut world| async {
        world.config.spool_segment_bytes = 1 << 20;
        world.config.spool_total_bytes = 4 << 20;
        world.restart_agent();
        world.sandbox("t").await;
        // 22 MB: more than five times what the spool holds.
        let (id, _) = world.start(world.shell("seq 1000000 3750000; echo last >&2")).await;
        let mut expected = 1_000_000_u32;
        let mut position = Position::default();
        let mut last = false;
        'agents: loop {
            // Every few batches another agent takes over where the last one committed.
            let mut output = world.runtime.output(&id, Some(position)).unwrap();
            for _ in 0..40 {
                let Some(batch) = bounded("output", output.next(256 * 1024)).await.unwrap() else {
                    break 'agents;
                };
                for record in batch.records() {
                    if record.line == b"last" {
                        last = true;
                        continue;
                    }
                    assert_eq!(record.line, expected.to_string().as_bytes());
                    expected += 1;
                }
                position = batch.next();
                output.commit(position).unwrap();
            }
        }
        assert_eq!((expected, last), (3_750_001, true));
        assert_eq!(world.exit().await.exit_code, 0);
        let mut again = world.runtime.output(&id, None).unwrap();
        assert!(bounded("output", again.next(4096)).await.unwrap().is_none());
        world
    });
}
