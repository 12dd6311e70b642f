// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package openaitest

import (
	"fmt"
	"strings"
)

// voice is how a kind of persona answers. It is chosen by a word of the system prompt.
type voice struct {
	word    string
	replies []reply
}

// reply is an answer to a message that contains the word about, or to any message where about is empty.
type reply struct {
	about string
	text  string
}

var voices = []voice{
	{"viral", []reply{
		{"coffee", "Your 3 pm slump just met its match. ☕ Our cold brew steeps for 18 hours so you can sprint for six. " +
			"First sip: silence. Second sip: inbox zero. Tag the friend who still drinks instant."},
		{"coffee", "POV: you finally tried the cold brew everyone keeps whispering about. Smooth, dark, zero bitterness. " +
			"We made 500 bottles and 312 are gone. You know what to do. 🔥"},
		{"hook", "Nobody tells you this about working from home: the commute was the only time you thought. " +
			"Here are three ways to get it back before Friday."},
		{"hook", "I deleted every app on my phone for 30 days. Day 9 broke me, day 30 rebuilt me. A thread. 🧵"},
		{"thread", "1/ Stop posting more. Start posting once and cutting it five ways.\n2/ One idea, one picture, one number.\n" +
			"3/ Ask a question that people are proud to answer.\n4/ Reply to the first ten comments yourself."},
		{"", "Stop scrolling. The thing you keep putting off takes four minutes, and I timed it. Watch till the end. 👀"},
		{"", "Three words that doubled our reach last month: show, don't shout. Save this before you forget it."},
		{"", "Everyone says consistency wins. They are half right: consistency plus one surprise a week wins. Try it."},
	}},
	{"educator", []reply{
		{"recursion", "Recursion is a function that solves a big problem by asking itself to solve a smaller one. Picture a queue " +
			"at the bakery: to learn your place, ask the person ahead and add one. The person at the counter is the base case."},
		{"recursion", "Think of two mirrors, but with an exit. A recursive function calls itself on a smaller input each time and " +
			"stops at a case that it can answer directly. Forget that case and the stack overflows."},
		{"goroutine", "A goroutine is a function that the Go runtime runs beside the others. It starts with a stack of a few " +
			"kilobytes that grows on demand, so a hundred thousand of them fit where a thousand threads would not. The " +
			"scheduler moves them between threads when they wait."},
		{"token", "A token is a piece of text that a model reads as one unit: often a short word, sometimes half of a long one. " +
			"You pay for tokens and not for words, so the same sentence can cost more in Finnish than in English."},
		{"token", "Models do not read letters. They read tokens, chunks of about four characters of English, looked up in a fixed " +
			"vocabulary. Count them before you send a prompt and you know its price."},
		{"", "Let us start from what you already know and add one idea at a time. Write the smallest example that could fail, run " +
			"it, and read the error slowly: it usually names the missing piece."},
		{"", "Good question. The short answer is that it trades memory for time. The longer answer is that you should measure " +
			"first, because intuition about computers is mostly nostalgia."},
		{"", "Imagine explaining it to a friend with a pencil: draw the data, draw the arrow, and ask what happens when the arrow " +
			"points nowhere. That drawing is the whole concept."},
	}},
	{"support", []reply{
		{"password", "I am sorry for the trouble. Please open Settings, choose Security, and press Reset password; the link arrives " +
			"within two minutes and works for one hour. If it does not arrive, check the spam folder and tell me the time of " +
			"your attempt."},
		{"password", "No problem, that is quickly solved. Use Forgot password on the sign-in page with the address of your invoice. " +
			"After five wrong attempts the account rests for fifteen minutes, so please wait that long first."},
		{"invoice", "Thank you for telling us. I can see two charges for the same order, and the second one is a pre-authorisation " +
			"that your bank releases within three working days. Nothing more is needed from you."},
		{"refund", "Your refund is on its way. It takes three to five working days to appear, depending on your bank. I have sent " +
			"the confirmation to your e-mail address."},
		{"", "Thank you for reaching out. I have checked your account and everything is active on our side. Could you tell me which " +
			"device you use and what the screen shows?"},
		{"", "I understand how annoying that is. Please sign out, wait ten seconds and sign in again; this refreshes your plan. " +
			"I stay with you until it works."},
	}},
}

// plainVoice answers where no voice fits the system prompt.
var plainVoice = []reply{
	{"", "Here is a short answer: yes, and it is simpler than it looks. Start with the smallest step and check the result."},
	{"", "There are two common ways to do that. The first is quick and good enough for most cases, the second scales."},
	{"", "It depends on what you value more, speed or accuracy. Tell me which and I can be more precise."},
	{"", "Certainly. The main point is to keep the parts separate, so that each of them can be tested on its own."},
}

// afterTool are the answers to a tool's result.
var afterTool = []string{
	"The result is %s.",
	"I looked it up for you: %s.",
	"Done. The tool says %s, and that answers your question.",
}

// maxEcho is how much of a tool's result an answer repeats, in characters.
const maxEcho = 200

// phrase returns the text of the choice with an index. Neighbouring choices differ.
func phrase(req request, index int) string {
	last := req.lastMessage()
	pick := req.digest.number(1<<16) + index
	if last.Role == "tool" || last.Role == "function" {
		result := []rune(strings.TrimSpace(last.Content.Text))
		return fmt.Sprintf(afterTool[pick%len(afterTool)], string(result[:min(len(result), maxEcho)]))
	}
	replies := repliesTo(strings.ToLower(last.Content.Text), voiceOf(req.systemPrompt()))
	return replies[pick%len(replies)].text
}

func voiceOf(systemPrompt string) []reply {
	systemPrompt = strings.ToLower(systemPrompt)
	for _, v := range voices {
		if strings.Contains(systemPrompt, v.word) {
			return v.replies
		}
	}
	return plainVoice
}

// repliesTo returns the replies about something that the message contains, or else those to any message.
func repliesTo(text string, replies []reply) []reply {
	var about, general []reply
	for _, r := range replies {
		switch {
		case r.about == "":
			general = append(general, r)
		case strings.Contains(text, r.about):
			about = append(about, r)
		}
	}
	if len(about) > 0 {
		return about
	}
	return general
}
