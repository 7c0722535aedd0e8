// The monolith that OpenMusic is measured against: Express, one process, one PostgreSQL database, no cache.
// It serves the routes that the bench asks for, written plainly: one query after the other, pooled and prepared.
import { randomUUID } from 'node:crypto';
import bcrypt from 'bcrypt';
import express from 'express';
import Joi from 'joi';
import jwt from 'jsonwebtoken';
import morgan from 'morgan';
import pg from 'pg';

const ACCESS_KEY = process.env.ACCESS_TOKEN_KEY;
const REFRESH_KEY = process.env.REFRESH_TOKEN_KEY;
const ACCESS_AGE = 1800; // seconds
const HASH_COST = 10; // of bcrypt
const FIRST_PAGE = 1000; // songs

const pool = new pg.Pool({ max: 20 }); // where the database is, PGHOST and its like say

class ClientError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Runs a prepared statement, named after its text, and returns its rows. */
const names = new Map();
async function query(text, values = []) {
  if (!names.has(text)) names.set(text, `statement_${names.size}`);
  return (await pool.query({ name: names.get(text), text, values })).rows;
}

const newId = (kind) => `${kind}-${randomUUID().replaceAll('-', '')}`;

const text = Joi.string().required();
const SCHEMAS = {
  user: Joi.object({ username: text, password: text, fullname: text }),
  login: Joi.object({ username: text, password: text }),
  refresh: Joi.object({ refreshToken: text }),
  song: Joi.object({
    title: text,
    year: Joi.number().integer().required(),
    genre: text,
    performer: text,
    duration: Joi.number().integer().allow(null),
    albumId: Joi.string().allow(null),
  }),
  playlist: Joi.object({ name: text }),
  playlistSong: Joi.object({ songId: text }),
};

function validate(schema, body) {
  const { error, value } = SCHEMAS[schema].validate(body ?? {}, { convert: false, allowUnknown: true });
  if (error) throw new ClientError(400, error.message);
  return value;
}

function authenticate(request, response, next) {
  const [scheme, token] = (request.get('authorization') ?? '').split(' ');
  try {
    if (scheme !== 'Bearer') throw new Error('no bearer token');
    request.userId = jwt.verify(token, ACCESS_KEY, { algorithms: ['HS256'] }).id;
  } catch {
    throw new ClientError(401, 'Missing or invalid token');
  }
  next();
}

async function requireAlbum(id) {
  const [album] = await query('SELECT id, name, year, cover FROM albums WHERE id = $1', [id]);
  if (!album) throw new ClientError(404, 'Album not found');
  return album;
}

async function requirePlaylist(id, userId) {
  const [playlist] = await query('SELECT id, name, owner_id FROM playlists WHERE id = $1', [id]);
  if (!playlist) throw new ClientError(404, 'Playlist not found');
  if (playlist.owner_id !== userId) {
    const shared = await query('SELECT id FROM collaborations WHERE playlist_id = $1 AND user_id = $2', [id, userId]);
    if (shared.length === 0) throw new ClientError(403, 'Not your playlist');
  }
  return playlist;
}

async function addActivity(playlistId, userId, title, action) {
  await query(
    'INSERT INTO activities (playlist_id, user_id, title, action) VALUES ($1, $2, $3, $4)',
    [playlistId, userId, title, action],
  );
}

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(morgan('combined'));
app.use(express.json());

app.get('/health/live', (request, response) => response.json({ status: 'success', message: 'alive' }));

app.post('/users', async (request, response) => {
  const { username, password, fullname } = validate('user', request.body);
  const taken = await query('SELECT id FROM users WHERE username = $1', [username]);
  if (taken.length > 0) throw new ClientError(400, 'Username is taken');
  const id = newId('user');
  const hashed = await bcrypt.hash(password, HASH_COST);
  await query('INSERT INTO users (id, username, fullname, password) VALUES ($1, $2, $3, $4)', [id, username, fullname, hashed]);
  response.status(201).json({ status: 'success', message: 'User added', data: { userId: id } });
});

app.post('/authentications', async (request, response) => {
  const { username, password } = validate('login', request.body);
  const [user] = await query('SELECT id, password FROM users WHERE username = $1', [username]);
  if (!user || !(await bcrypt.compare(password, user.password))) throw new ClientError(401, 'Wrong credentials');
  const accessToken = jwt.sign({ id: user.id }, ACCESS_KEY, { expiresIn: ACCESS_AGE });
  const refreshToken = jwt.sign({ id: user.id, jti: randomUUID() }, REFRESH_KEY);
  await query('INSERT INTO authentications (token) VALUES ($1)', [refreshToken]);
  response.status(201).json({ status: 'success', message: 'Logged in', data: { accessToken, refreshToken } });
});

app.put('/authentications', async (request, response) => {
  const { refreshToken } = validate('refresh', request.body);
  const known = await query('SELECT token FROM authentications WHERE token = $1', [refreshToken]);
  if (known.length === 0) throw new ClientError(400, 'Unknown refresh token');
  const { id } = jwt.verify(refreshToken, REFRESH_KEY, { algorithms: ['HS256'] });
  const accessToken = jwt.sign({ id }, ACCESS_KEY, { expiresIn: ACCESS_AGE });
  response.json({ status: 'success', message: 'Token refreshed', data: { accessToken } });
});

app.get('/albums/:id', async (request, response) => {
  const album = await requireAlbum(request.params.id);
  const songs = await query('SELECT id, title, performer FROM songs WHERE album_id = $1 ORDER BY id', [album.id]);
  const { id, name, year, cover } = album;
  response.json({ status: 'success', data: { album: { id, name, year, coverUrl: cover, songs } } });
});

app.post('/albums/:id/likes', authenticate, async (request, response) => {
  const album = await requireAlbum(request.params.id);
  const liked = await query('SELECT 1 FROM album_likes WHERE album_id = $1 AND user_id = $2', [album.id, request.userId]);
  if (liked.length > 0) throw new ClientError(400, 'Already liked');
  await query('INSERT INTO album_likes (album_id, user_id) VALUES ($1, $2)', [album.id, request.userId]);
  response.status(201).json({ status: 'success', message: 'Album liked' });
});

app.get('/albums/:id/likes', async (request, response) => {
  const album = await requireAlbum(request.params.id);
  const [{ likes }] = await query('SELECT count(*)::int AS likes FROM album_likes WHERE album_id = $1', [album.id]);
  response.json({ status: 'success', data: { likes } });
});

app.post('/songs', async (request, response) => {
  const { title, year, genre, performer, duration, albumId } = validate('song', request.body);
  if (albumId) await requireAlbum(albumId);
  const id = newId('song');
  await query(
    'INSERT INTO songs (id, title, year, genre, performer, duration, album_id) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    [id, title, year, genre, performer, duration, albumId],
  );
  response.status(201).json({ status: 'success', message: 'Song added', data: { songId: id } });
});

app.get('/songs', async (request, response) => {
  const { title, performer } = request.query;
  const songs = await query(
    `SELECT id, title, performer FROM songs
     WHERE ($1::text IS NULL OR title ILIKE '%' || $1 || '%') AND ($2::text IS NULL OR performer ILIKE '%' || $2 || '%')
     ORDER BY id LIMIT ${FIRST_PAGE}`,
    [title ?? null, performer ?? null],
  );
  response.json({ status: 'success', data: { songs } });
});

app.get('/songs/:id', async (request, response) => {
  const [song] = await query(
    'SELECT id, title, year, performer, genre, duration, album_id AS "albumId" FROM songs WHERE id = $1',
    [request.params.id],
  );
  if (!song) throw new ClientError(404, 'Song not found');
  response.json({ status: 'success', data: { song } });
});

app.put('/songs/:id', async (request, response) => {
  const { title, year, genre, performer, duration, albumId } = validate('song', request.body);
  const changed = await query(
    `UPDATE songs SET title = $2, year = $3, genre = $4, performer = $5, duration = $6, album_id = $7
     WHERE id = $1 RETURNING id`,
    [request.params.id, title, year, genre, performer, duration, albumId],
  );
  if (changed.length === 0) throw new ClientError(404, 'Song not found');
  response.json({ status: 'success', message: 'Song changed' });
});

app.post('/playlists', authenticate, async (request, response) => {
  const { name } = validate('playlist', request.body);
  const id = newId('playlist');
  await query('INSERT INTO playlists (id, name, owner_id) VALUES ($1, $2, $3)', [id, name, request.userId]);
  response.status(201).json({ status: 'success', message: 'Playlist added', data: { playlistId: id } });
});

app.get('/playlists', authenticate, async (request, response) => {
  const playlists = await query(
    `SELECT playlists.id, playlists.name, users.username FROM playlists
     JOIN users ON users.id = playlists.owner_id
     LEFT JOIN collaborations ON collaborations.playlist_id = playlists.id AND collaborations.user_id = $1
     WHERE playlists.owner_id = $1 OR collaborations.user_id = $1 ORDER BY playlists.id`,
    [request.userId],
  );
  response.json({ status: 'success', data: { playlists } });
});

app.get('/playlists/:id/songs', authenticate, async (request, response) => {
  const { id, name, owner_id: ownerId } = await requirePlaylist(request.params.id, request.userId);
  const [{ username }] = await query('SELECT username FROM users WHERE id = $1', [ownerId]);
  const songs = await query(
    `SELECT songs.id, songs.title, songs.performer FROM playlist_songs JOIN songs ON songs.id = playlist_songs.song_id
     WHERE playlist_songs.playlist_id = $1 ORDER BY playlist_songs.position`,
    [id],
  );
  response.json({ status: 'success', data: { playlist: { id, name, username, songs } } });
});

app.post('/playlists/:id/songs', authenticate, async (request, response) => {
  const { songId } = validate('playlistSong', request.body);
  const playlist = await requirePlaylist(request.params.id, request.userId);
  const [song] = await query('SELECT title FROM songs WHERE id = $1', [songId]);
  if (!song) throw new ClientError(404, 'Song not found');
  const added = await query(
    'INSERT INTO playlist_songs (playlist_id, song_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING song_id',
    [playlist.id, songId],
  );
  if (added.length === 0) throw new ClientError(400, 'Song is already in the playlist');
  await addActivity(playlist.id, request.userId, song.title, 'add');
  response.status(201).json({ status: 'success', message: 'Song added to the playlist' });
});

app.delete('/playlists/:id/songs', authenticate, async (request, response) => {
  const { songId } = validate('playlistSong', request.body);
  const playlist = await requirePlaylist(request.params.id, request.userId);
  const [song] = await query('SELECT title FROM songs WHERE id = $1', [songId]);
  const removed = await query(
    'DELETE FROM playlist_songs WHERE playlist_id = $1 AND song_id = $2 RETURNING song_id',
    [playlist.id, songId],
  );
  if (!song || removed.length === 0) throw new ClientError(404, 'Song is not in the playlist');
  await addActivity(playlist.id, request.userId, song.title, 'delete');
  response.json({ status: 'success', message: 'Song removed from the playlist' });
});

app.use((request, response) => response.status(404).json({ status: 'fail', message: 'Not found' }));

app.use((error, request, response, next) => {
  const status = error.status ?? 500;
  if (status >= 500) console.error(error);
  response.status(status).json({ status: status < 500 ? 'fail' : 'error', message: error.message });
});

app.listen(Number(process.env.PORT), '127.0.0.1');
