// Go's net/http. See client_story.py for the lines.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func decoded(text string) []byte {
	content, _ := base64.StdEncoding.DecodeString(text)
	return content
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		step := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		content := decoded(step[3])
		var body io.Reader
		if len(content) > 0 {
			body = bytes.NewReader(content)
			if step[4] == "chunked" {
				body = io.MultiReader(body) // of a length that the client cannot see
			}
		}
		request, err := http.NewRequest(step[0], step[1], body)
		if err != nil {
			panic(err)
		}
		for _, header := range strings.Split(string(decoded(step[2])), "\n") {
			if name, value, found := strings.Cut(header, ": "); found {
				request.Header.Set(name, value)
			}
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		read, err := io.ReadAll(answer.Body)
		if err != nil {
			panic(err)
		}
		answer.Body.Close()
		var told strings.Builder
		for name := range answer.Header {
			fmt.Fprintf(&told, "%s: %s\n", name, answer.Header.Get(name))
		}
		if answer.ContentLength >= 0 {
			fmt.Fprintf(&told, "Content-Length: %d\n", answer.ContentLength)
		}
		encode := base64.StdEncoding.EncodeToString
		fmt.Printf("%d\t%s\t%s\n", answer.StatusCode, encode([]byte(told.String())), encode(read))
	}
}
