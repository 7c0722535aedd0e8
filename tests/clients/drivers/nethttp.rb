# Ruby's Net::HTTP over one kept connection. See client_story.py for the lines.
require "base64"
require "net/http"
require "stringio"

$stdout.sync = true
connection = nil
while (line = $stdin.gets)
  method, url, headers, body, framing = line.chomp.split("\t", -1)
  uri = URI(url)
  connection ||= Net::HTTP.new(uri.host, uri.port, nil).start
  body = Base64.decode64(body)
  has_answer = method != "HEAD"
  request = Net::HTTPGenericRequest.new(method, !body.empty?, has_answer, uri.request_uri)
  Base64.decode64(headers).force_encoding("UTF-8").each_line(chomp: true) do |header|
    name, value = header.split(": ", 2)
    request[name] = value if value
  end
  if framing == "chunked" && !body.empty?
    request["Transfer-Encoding"] = "chunked"
    request.body_stream = StringIO.new(body)
  elsif !body.empty?
    request.body = body
  end
  answer = connection.request(request)
  told = answer.each_header.map { |name, value| "#{name}: #{value}\n" }.join
  puts [answer.code, Base64.strict_encode64(told), Base64.strict_encode64(answer.body || "")].join("\t")
end
