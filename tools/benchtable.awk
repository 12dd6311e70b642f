# Turns the output of `go test -bench -benchmem` into one Markdown table per package. Whatever else the output has (a
# failure, a log line) is passed on.
/^(goos|goarch|PASS|ok |cpu)/ {
	if (/^cpu/ && !cpu++) print
	next
}
/^pkg:/ {
	printf "\n%s\n\n| benchmark | ns/op | B/op | allocs/op | other |\n|---|--:|--:|--:|---|\n", $2
	next
}
/^Benchmark/ && NF > 3 {
	ns = bytes = allocs = other = ""
	for (i = 3; i < NF; i += 2) {
		if ($(i + 1) == "ns/op") ns = $i
		else if ($(i + 1) == "B/op") bytes = $i
		else if ($(i + 1) == "allocs/op") allocs = $i
		else other = other (other ? ", " : "") $i " " $(i + 1)
	}
	sub(/^Benchmark/, "", $1)
	printf "| %s | %s | %s | %s | %s |\n", $1, ns, bytes, allocs, other
	next
}
{ print }
