// A story through the client that openapi-typescript and openapi-fetch make of the public document: `story.ts URL`.
// What the document forbids must not compile: each @ts-expect-error is an error of its own when it does.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

declare const process: { argv: string[] };

const client = createClient<paths>({ baseUrl: process.argv[2]! });

interface Result<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

function success<Data>({ data, error, response }: Result<Data>, status: number): Data {
  if (response.status !== status || data === undefined) {
    throw new Error(`${response.url}: ${response.status} ${JSON.stringify(error)}`);
  }
  return data;
}

function same(actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) {
    throw new Error(`${JSON.stringify(actual)} is not ${JSON.stringify(expected)}`);
  }
}

async function register(): Promise<string> {
  const login = { username: `typed_${crypto.randomUUID()}`, password: "secret" };
  const registered = success(await client.POST("/users", { body: { ...login, fullname: "Typed" } }), 201);
  const tokens = success(await client.POST("/authentications", { body: login }), 201).data;
  client.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${tokens.accessToken}`);
      return request;
    },
  });
  same(success(await client.GET("/users/me"), 200).data.user.id, registered.data.userId);
  return tokens.refreshToken;
}

async function addSongs(): Promise<string[]> {
  const album = success(await client.POST("/albums", { body: { name: "X&Y", year: 2005 } }), 201).data.albumId;
  const songs: string[] = [];
  for (const title of ["Talk", "Fix You"]) {
    const song: components["schemas"]["SongPayload"] = { title, year: 2005, genre: "Rock", performer: "Coldplay", albumId: album };
    songs.push(success(await client.POST("/songs", { body: song }), 201).data.songId);
  }
  const found = success(await client.GET("/albums/{album_id}", { params: { path: { album_id: album } } }), 200);
  same(found.data.album.songs.map((song) => song.id), songs);
  const form = new FormData();
  form.set("cover", new Blob([new Uint8Array([1, 2, 3])]), "cover.png");
  const cover = { params: { path: { album_id: album } }, body: { cover: "" }, bodySerializer: () => form };
  const refused = await client.POST("/albums/{album_id}/covers", cover);
  same(refused.response.status, 400);
  same(refused.error !== undefined && "message" in refused.error && typeof refused.error.message, "string");
  return songs;
}

async function editPlaylist(songs: string[]): Promise<void> {
  const key = { header: { "Idempotency-Key": crypto.randomUUID() } };
  const request = { params: key, body: { name: "Typed" } };
  const path = { playlist_id: success(await client.POST("/playlists", request), 201).data.playlistId };
  same(success(await client.POST("/playlists", request), 201).data.playlistId, path.playlist_id);
  success(await client.POST("/playlists/{playlist_id}/songs/batch", { params: { path }, body: { songIds: songs } }), 201);
  const move = { songId: songs[1]!, after: null };
  success(await client.PUT("/playlists/{playlist_id}/songs/order", { params: { path }, body: move }), 200);
  const listed = success(await client.GET("/playlists/{playlist_id}/songs", { params: { path } }), 200).data.playlist;
  same(listed.songs.map((song) => song.id), [songs[1], songs[0]]);
  const removed = { params: { path }, body: { songId: songs[0]! } };
  success(await client.DELETE("/playlists/{playlist_id}/songs", removed), 200);
  const { activities } = success(await client.GET("/playlists/{playlist_id}/activities", { params: { path } }), 200).data;
  same(activities.map((each) => each.action), ["add", "add", "delete"]);
}

// Never called: what must not compile.
export async function mistakes(): Promise<void> {
  // @ts-expect-error - there is no such path
  await client.GET("/artists");
  // @ts-expect-error - the year is missing
  await client.POST("/albums", { body: { name: "X&Y" } });
  // @ts-expect-error - the year is a number
  await client.POST("/albums", { body: { name: "X&Y", year: "2005" } });
  // @ts-expect-error - the path needs an id
  await client.GET("/albums/{album_id}");
  // @ts-expect-error - no such format
  await client.GET("/playlists/{playlist_id}/export", { params: { path: { playlist_id: "" }, query: { format: "pdf" } } });
  const { data } = await client.GET("/albums/{album_id}", { params: { path: { album_id: "" } } });
  // @ts-expect-error - an album without a cover has none
  const cover: string | undefined = data?.data.album.coverUrl;
  // @ts-expect-error - albums have no rating
  same(cover, data?.data.album.rating);
}

const refreshToken = await register();
await editPlaylist(await addSongs());
success(await client.DELETE("/authentications", { body: { refreshToken } }), 200);
console.log("played");
