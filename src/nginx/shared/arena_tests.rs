//! Tests of the arena on plain memory, against a model that only remembers what was put.

use std::collections::BTreeMap;

use super::*;

/// Memory of some length, aligned as the arena needs it and full of what was there before.
struct Memory {
    granules: Vec<[u64; GRANULE / 8]>,
    length: usize,
}

impl Memory {
    fn new(length: usize) -> Self {
        Self { granules: vec![[MARK; _]; length.div_ceil(GRANULE) + 1], length }
    }

    fn attach(&mut self) -> Option<Arena<'_>> {
        let base = NonNull::from(self.granules.as_mut_slice()).cast::<u8>();
        // SAFETY: aligned up within the memory, which has room for one granule more; used by this thread alone.
        unsafe { Arena::new(base.add(base.align_offset(GRANULE)), self.length) }
    }

    fn arena(&mut self) -> Arena<'_> {
        let arena = self.attach().unwrap();
        arena.sweep([]);
        arena
    }
}

/// Xorshift: the same run every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// Mostly small, at times most of the memory, often at the edge of a granule; of bytes that look like heads.
    fn bytes(&mut self, memory: usize) -> Vec<u8> {
        let length = match self.below(8) {
            0 => self.below(memory),
            1 | 2 => GRANULE * self.below(20) + GRANULE - size_of::<Head>() + self.below(3) - 1,
            3 => 0,
            _ => self.below(300),
        };
        let salt = self.below(256) as u8;
        MARK.to_le_bytes()
            .into_iter()
            .cycle()
            .take(length / 2)
            .chain((0..length - length / 2).map(|i| i as u8 ^ salt))
            .collect()
    }
}

type Model = BTreeMap<u64, Vec<u8>>;

/// How long the longest row of free granules is, by the model.
fn longest_free(arena: &Arena, model: &Model) -> usize {
    let mut free_from = arena.offset(0);
    let mut longest = 0;
    for (&block, bytes) in model {
        assert!(block as usize >= free_from, "blocks overlap");
        longest = longest.max(block as usize - free_from);
        free_from = block as usize + Arena::needed(bytes.len());
    }
    let end = arena.offset(arena.granules());
    assert!(free_from <= end, "a block leaves the memory");
    longest.max(end - free_from)
}

fn check(arena: &Arena, model: &Model) {
    for (&block, bytes) in model {
        assert_eq!(arena.get(block).as_ref(), Some(bytes), "block {block}");
    }
    let taken: usize = model.values().map(|bytes| Arena::needed(bytes.len())).sum();
    assert_eq!(arena.free_bytes(), arena.granules() * GRANULE - taken);
    let begins: u32 = arena.begins.iter().map(|bits| bits.load(Relaxed).count_ones()).sum();
    assert_eq!(begins as usize, model.len());
}

#[test]
fn it_does_what_the_model_does() {
    let (runs, steps) = if cfg!(miri) { (2, 60) } else { (40, 2000) };
    for run in 1..=runs {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ run);
        let length = 5000 + random.below(60_000);
        let mut memory = Memory::new(length);
        let arena = memory.arena();
        let mut model = Model::new();
        for _ in 0..steps {
            let known = model.keys().nth(random.below(model.len().max(1))).copied();
            match random.below(100) {
                0..55 => {
                    let bytes = random.bytes(length);
                    let fits = Arena::needed(bytes.len()) <= longest_free(&arena, &model);
                    let block = arena.put(&bytes);
                    assert_eq!(block.is_some(), fits, "{} bytes", bytes.len());
                    if let Some(block) = block {
                        assert_eq!(model.insert(block, bytes), None);
                    }
                }
                55..95 => {
                    if let Some(known) = known {
                        arena.free(known);
                        model.remove(&known);
                        assert_eq!(arena.get(known), None);
                    }
                }
                95..98 => {
                    let bogus = random.below(length + 200) as u64;
                    if !model.contains_key(&bogus) {
                        assert_eq!(arena.get(bogus), None);
                        arena.free(bogus);
                    }
                }
                98 => {
                    let odd = random.below(2) == 1;
                    model.retain(|block, _| (block / 64 % 2 == 1) == odd);
                    arena.sweep(model.keys().copied());
                }
                _ => {
                    // What a process that dies in the middle of a change leaves.
                    for _ in 0..random.below(20) {
                        arena.taken[random.below(arena.taken.len())].store(random.0, Relaxed);
                        arena.begins[random.below(arena.begins.len())].store(random.0 >> 7, Relaxed);
                    }
                    arena.header.taken.store(random.0, Relaxed);
                    arena.sweep(model.keys().copied());
                }
            }
            check(&arena, &model);
        }
        model.keys().for_each(|&block| arena.free(block));
        check(&arena, &Model::new());
        let most = arena.free_bytes() - size_of::<Head>();
        assert_eq!(arena.put(&vec![1; most + 1]), None);
        assert!(arena.put(&vec![1; most]).is_some());
        assert_eq!(arena.free_bytes(), 0);
        assert_eq!(arena.put(b""), None);
    }
}

/// Content at whose second granule a head of a block of `length` bytes seems to be.
fn looks_like_a_head(length: u64) -> Vec<u8> {
    let first = [0; GRANULE - size_of::<Head>()];
    first.into_iter().chain(MARK.to_le_bytes()).chain(length.to_le_bytes()).chain([1; 100]).collect()
}

#[test]
fn what_is_no_block_is_none() {
    let mut memory = Memory::new(20_000);
    let arena = memory.arena();
    let first = arena.put(&[1; 200]).unwrap();
    let forged = looks_like_a_head(5);
    let second = arena.put(&forged).unwrap();
    let freed = arena.put(b"freed").unwrap();
    arena.free(freed);
    arena.free(freed);
    for (what, offset) in [
        ("null", 0),
        ("the header", 1),
        ("a bitmap", size_of::<Header>() as u64),
        ("inside a granule", first + 8),
        ("inside a block", first + 64),
        ("bytes that look like a head", second + 64),
        ("a freed block", freed),
        ("the end", arena.offset(arena.granules()) as u64),
        ("far behind the end", u64::MAX - 63),
    ] {
        assert_eq!(arena.get(offset), None, "{what}");
        arena.free(offset);
    }
    assert_eq!(arena.get(first), Some(vec![1; 200]));
    assert_eq!(arena.get(second), Some(forged));
}

#[test]
fn a_sweep_keeps_the_live_and_ignores_what_is_none() {
    let mut memory = Memory::new(20_000);
    let arena = memory.arena();
    let blocks: Vec<u64> = (0..5u8).map(|i| arena.put(&[i; 150]).unwrap()).collect();
    arena.free(blocks[3]);
    arena.sweep([blocks[4], blocks[1], blocks[1], blocks[3], blocks[0] + 64, 0, 7, u64::MAX]);
    check(&arena, &BTreeMap::from([(blocks[1], vec![1; 150]), (blocks[4], vec![4; 150])]));
    // Too long to be true.
    for length in [20_000, u64::MAX - 64, u64::MAX] {
        let forged = arena.put(&looks_like_a_head(length)).unwrap();
        arena.sweep([forged + 64, blocks[1], blocks[4]]);
    }
    let kept = BTreeMap::from([(blocks[1], vec![1; 150]), (blocks[4], vec![4; 150])]);
    check(&arena, &kept);
    // What one sweep has dropped the next one does not find.
    arena.sweep(blocks.iter().copied());
    check(&arena, &kept);
}

#[test]
fn too_little_memory_is_refused() {
    for length in [0, 1, 64, 128, 4000, 64 + 64 + 4096 + 15] {
        assert!(Memory::new(length).attach().is_none(), "{length}");
    }
    for length in [64 + 64 + 4096 + 16, 10_000, 1 << 20] {
        let mut memory = Memory::new(length);
        let arena = memory.arena();
        assert!(arena.offset(arena.granules()) <= length, "{length}");
        assert!(length - arena.offset(arena.granules()) < 2 * GROUP * GRANULE, "{length}");
    }
}
