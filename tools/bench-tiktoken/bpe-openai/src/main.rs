// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//! Counts tokens with rust-gems' bpe-openai, for internal/tiktoken/internal/bench. The argument is the file of texts.

use std::io::{stdin, stdout, BufRead, Write};
use std::time::Instant;

fn number(data: &mut &[u8]) -> usize {
    let (number, rest) = data.split_at(4);
    *data = rest;
    u32::from_le_bytes(number.try_into().unwrap()) as usize
}

fn main() {
    let file = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let mut data = &file[..];
    let mut corpora: Vec<Vec<String>> = Vec::new();
    while !data.is_empty() {
        let count = number(&mut data);
        let texts = (0..count).map(|_| {
            let size = number(&mut data);
            let (text, rest) = data.split_at(size);
            data = rest;
            String::from_utf8(text.to_vec()).unwrap()
        });
        let texts = texts.collect();
        corpora.push(texts);
    }
    let (o200k, cl100k) = (bpe_openai::o200k_base(), bpe_openai::cl100k_base());
    for request in stdin().lock().lines() {
        let request = request.unwrap();
        let (encoding, corpus) = request.split_once(' ').unwrap();
        let tokenizer = if encoding == "o200k_base" { o200k } else { cl100k };
        let texts = &corpora[corpus.parse::<usize>().unwrap()];
        let start = Instant::now();
        let tokens: usize = texts.iter().map(|text| tokenizer.count(text)).sum();
        println!("{} {tokens}", start.elapsed().as_nanos());
        stdout().flush().unwrap();
    }
}
