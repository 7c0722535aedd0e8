import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.util.Base64;

/** The JDK's own client as it is by default: it asks for HTTP/2 with each new connection. See client_story.py for the lines. */
public class Java {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] step = line.split("\t", -1);
            byte[] body = Base64.getDecoder().decode(step[3]);
            BodyPublisher publisher = BodyPublishers.ofByteArray(body);
            if (step[4].equals("chunked")) publisher = BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body));
            if (body.length == 0 && (step[0].equals("GET") || step[0].equals("HEAD"))) publisher = BodyPublishers.noBody();
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(step[1])).method(step[0], publisher);
            for (String header : new String(Base64.getDecoder().decode(step[2]), "UTF-8").split("\n")) {
                if (header.contains(": ")) request.header(header.split(": ", 2)[0], header.split(": ", 2)[1]);
            }
            HttpResponse<byte[]> answer = client.send(request.build(), BodyHandlers.ofByteArray());
            StringBuilder headers = new StringBuilder();
            answer.headers().map().forEach((name, values) -> headers.append(name + ": " + values.get(0) + "\n"));
            Base64.Encoder encoder = Base64.getEncoder();
            System.out.println(answer.statusCode() + "\t" + encoder.encodeToString(headers.toString().getBytes("UTF-8"))
                + "\t" + encoder.encodeToString(answer.body()));
        }
    }
}
