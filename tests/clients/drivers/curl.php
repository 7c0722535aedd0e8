<?php
// PHP's curl extension, with one handle for all requests. See client_story.py for the lines.
$handle = curl_init();
while (($line = fgets(STDIN)) !== false) {
    [$method, $url, $headers, $body, $framing] = explode("\t", rtrim($line, "\n"));
    $content = base64_decode($body);
    $sent = array_values(array_filter(explode("\n", base64_decode($headers))));
    $told = '';
    curl_reset($handle);
    curl_setopt_array($handle, [
        CURLOPT_URL => $url,
        CURLOPT_CUSTOMREQUEST => $method,
        CURLOPT_NOBODY => $method === 'HEAD',
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_PROXY => '',
        CURLOPT_HEADERFUNCTION => function ($_, $header) use (&$told) {
            $told = str_starts_with($header, 'HTTP/') ? '' : $told . trim($header) . "\n";
            return strlen($header);
        },
    ]);
    if ($content !== '' && $framing === 'chunked') {
        $stream = fopen('php://temp', 'w+');
        fwrite($stream, $content);
        rewind($stream);
        curl_setopt_array($handle, [
            CURLOPT_UPLOAD => true,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_READFUNCTION => fn ($_, $__, $length) => (string) fread($stream, $length),
        ]);
        $sent[] = 'Transfer-Encoding: chunked';
    } elseif ($content !== '') {
        curl_setopt($handle, CURLOPT_POSTFIELDS, $content);
    }
    curl_setopt($handle, CURLOPT_HTTPHEADER, $sent);
    $read = curl_exec($handle);
    if ($read === false) {
        exit(curl_error($handle));
    }
    $status = curl_getinfo($handle, CURLINFO_RESPONSE_CODE);
    echo $status, "\t", base64_encode($told), "\t", base64_encode($read), "\n";
}
