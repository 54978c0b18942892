#!/usr/bin/env bash
# Guess: franz-go's admin client asks the brokers: ListTopics of a topic that CreateTopic of the same client has just made finds it.
# Found (kadm 1.20.0 on franz-go 1.22.3): ListTopics answers from what the client keeps of topics. Where the topic was asked for before it was made, which is how one
# finds out that it is missing, ListTopics goes on to say UNKNOWN_TOPIC_OR_PARTITION although CreateTopic has answered without an error and a metadata request of one's own
# shows the topic. Whoever wants to know sends that request. Exits 1 if ListTopics finds the topic.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func main() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	client, _ := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	defer client.Close()
	admin, ctx := kadm.NewClient(client), context.Background()
	before, _ := admin.ListTopics(ctx, "wakeups")
	fmt.Println("before:", before["wakeups"].Err != nil)
	if _, err := admin.CreateTopic(ctx, 1, 1, nil, "wakeups"); err != nil {
		panic(err)
	}
	after, _ := admin.ListTopics(ctx, "wakeups")
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr("wakeups")
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		panic(err)
	}
	fmt.Printf("ListTopics misses it: %t, a request of one's own shows it: %t\n", after["wakeups"].Err != nil,
		resp.Topics[0].ErrorCode == 0)
}
GO
go mod init x >/dev/null 2>&1
go get github.com/twmb/franz-go@v1.22.3 github.com/twmb/franz-go/pkg/kadm@v1.20.0 github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go run . | tee seen
if ! grep -q "ListTopics misses it: true, a request of one's own shows it: true" seen; then
	echo "the behaviour has changed" >&2
	exit 1
fi
