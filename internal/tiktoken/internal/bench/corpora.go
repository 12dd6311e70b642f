// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// corpus is texts of one kind.
type corpus struct {
	name  string
	texts []string
}

func (c corpus) bytes() int {
	n := 0
	for _, text := range c.texts {
		n += len(text)
	}
	return n
}

// textKeys are where requests, answers and events have text that people or models wrote.
var textKeys = map[string]string{
	"content":           "prompts and answers",
	"text":              "prompts and answers",
	"instructions":      "prompts and answers",
	"response_text":     "prompts and answers",
	"reasoning_content": "prompts and answers",
	"output_text":       "prompts and answers",
	"prompt":            "prompts and answers",
	"input":             "prompts and answers",
	"output":            "prompts and answers",
	"delta":             "prompts and answers",
	"description":       "prompts and answers",
	"arguments":         "JSON",
	"tools":             "JSON",
	"parameters":        "JSON",
}

// readCorpora reads what was recorded, each text once; all of it is the first corpus. Of Chinese, emoji and code too little was
// recorded to measure, so that it is made up, from words rather than from one text, which would be in every cache.
func readCorpora(folder string) ([]corpus, error) {
	if folder == "" {
		return nil, errors.New("set GENAI_DATA to the folder of recorded data")
	}
	found := make(map[string]map[string]bool)
	add := func(key, text string) {
		kind, ok := textKeys[key]
		if !ok || text == "" || strings.HasPrefix(text, "data:") {
			return
		}
		if found[kind] == nil {
			found[kind] = make(map[string]bool)
		}
		found[kind][text] = true
	}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error { //nolint:gosec // what the user named
		if err != nil || entry.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".json", ".jsonl":
		default:
			return nil
		}
		file, err := os.Open(path) //nolint:gosec // nobody changes the folder meanwhile
		if err != nil {
			return err
		}
		defer file.Close()
		for decoder := json.NewDecoder(file); decoder.More(); {
			var document any
			if err := decoder.Decode(&document); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			walk("", document, add)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := corpus{name: "all that was recorded"}
	corpora := []corpus{all}
	for _, kind := range []string{"prompts and answers", "JSON"} {
		c := corpus{name: kind}
		for text := range found[kind] {
			c.texts = append(c.texts, text)
		}
		slices.Sort(c.texts)
		corpora[0].texts = append(corpora[0].texts, c.texts...)
		corpora = append(corpora, c)
	}
	if len(corpora[0].texts) == 0 {
		return nil, fmt.Errorf("no text in %s", folder)
	}
	return append(corpora, corpus{"code", code()}, corpus{"Chinese", chinese()}, corpus{"emoji", emoji()}), nil
}

// walk calls add for each text of a JSON document, and for each value under the key of a schema.
func walk(key string, value any, add func(key, text string)) {
	switch value := value.(type) {
	case string:
		add(key, value)
	case []any:
		for _, element := range value {
			walk(key, element, add)
		}
	case map[string]any:
		if key == "tools" {
			if text, err := json.Marshal(value); err == nil {
				add(key, string(text))
			}
		}
		for key, element := range value {
			walk(key, element, add)
		}
	}
}

// code is this package's own.
func code() []string {
	var texts []string
	for _, pattern := range []string{"*.go", "internal/*/*.go"} {
		names, err := filepath.Glob(filepath.Join("internal/tiktoken", pattern))
		if err != nil {
			panic(err)
		}
		for _, name := range names {
			if text, err := os.ReadFile(name); err == nil && !strings.HasSuffix(name, "classes_table.go") {
				texts = append(texts, string(text))
			}
		}
	}
	return texts
}

func chinese() []string {
	words := strings.Fields(`我们 他们 委员会 星期二 开会 讨论 这项 提案 但是 没有 人 能够 就 已经 决定 的 事情 达成 一致 因为 时间 不够
		所以 大家 同意 下周 继续 研究 经济 发展 技术 创新 人工智能 模型 数据 分析 系统 用户 体验 产品 设计 市场 营销 内容 创作 病毒式 传播
		社交 媒体 平台 教育 学习 方法 老师 学生 学校 课程 知识 问题 答案 解释 例子 首先 其次 最后 重要 需要 可以 应该 可能 非常 比较 更加
		了 在 是 和 与 或者 如果 那么 虽然 不过 中国 北京 上海 城市 农村 天气 今天 明天 昨天 早上 晚上 朋友 家人 孩子 父母 工作 生活 健康
		运动 音乐 电影 书籍 旅行 美食 咖啡 茶 水果 苹果 蔬菜 医院 医生 护士 药物 治疗 研究者 科学家 实验 结果 显示 表明 增长 下降 百分之`)
	return made(60_000, 1_500, func(random *rand.Rand, b *strings.Builder) {
		b.WriteString(words[random.IntN(len(words))])
		if random.IntN(8) == 0 {
			b.WriteString([]string{"，", "。", "！", "、", "\n"}[random.IntN(5)])
		}
	})
}

func emoji() []string {
	return made(60_000, 400, func(random *rand.Rand, b *strings.Builder) {
		b.WriteRune([]rune{0x1f300, 0x1f400, 0x1f600, 0x1f680}[random.IntN(4)] + rune(random.IntN(64)))
		if random.IntN(6) == 0 {
			b.WriteByte(' ')
		}
	})
}

// made returns texts of size bytes, all in all of total bytes.
func made(total, size int, add func(*rand.Rand, *strings.Builder)) []string {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same in every run
	var texts []string
	for range total / size {
		var b strings.Builder
		for b.Len() < size {
			add(random, &b)
		}
		texts = append(texts, b.String())
	}
	return texts
}

// pack writes corpora as the commands read them.
func pack(corpora []corpus) []byte {
	var b bytes.Buffer
	number := func(n int) { b.Write(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
	for _, c := range corpora {
		number(len(c.texts))
		for _, text := range c.texts {
			number(len(text))
			b.WriteString(text)
		}
	}
	return b.Bytes()
}
